// Every step is clamped twice: the shard's, so that a pause is not silence of its peers, and the control thread's
// own, so that its pause is not a stall of the shards.
#include "control/peers/lease_clock.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"

namespace mcplane::control {

// How far the shard's clock ran since the last tick, at most kStepMaxNs.
std::uint64_t LeaseClock::step(Shard& shard, std::uint64_t loop_ns, std::uint64_t elapsed_ns) noexcept {
  const std::uint64_t before_ns = std::exchange(shard.loop_ns, loop_ns);
  if (before_ns == 0) return 0;
  if (loop_ns != before_ns) {
    shard.still_ns = 0;
    return std::min(loop_ns - before_ns, kStepMaxNs);
  }
  const bool stalled_before = shard.still_ns > stall_ns_;
  shard.still_ns += std::min(elapsed_ns, kStepMaxNs);
  if (!stalled_before && shard.still_ns > stall_ns_) ++stalls_;
  return 0;
}

void LeaseClock::tick(std::uint64_t now_ns, const state::Shared& shared, const Links& links) {
  const std::uint64_t elapsed_ns = now_ns - std::exchange(ticked_ns_, now_ns);
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const std::uint64_t loop_ns = shared.shards[i]->loop_ns.load(std::memory_order_relaxed);
    const std::uint64_t ran_ns = step(shards_[i], loop_ns, elapsed_ns);
    for (std::size_t port = 0; port < ports_; ++port)
      if (links.up(PortId(static_cast<std::uint8_t>(port))) || planted(PlantedBug::kLeaseIgnoresLink))
        active_ns_[i * ports_ + port] += ran_ns;
  }
}

}  // namespace mcplane::control
