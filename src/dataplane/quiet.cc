// See quiet.h.
#include "dataplane/quiet.h"

#include <algorithm>

namespace mcplane::dataplane {

std::uint32_t quiet_ms(const Shard& shard, std::uint32_t max_ms) noexcept {
  const bool sweeping = !shard.sweep.current.empty() || !shard.sweep.next.empty();
  if (sweeping || shard.keeps_frames() || !shard.events.empty() || shard.timers.now() != shard.now_ms) return 0;
  // Acknowledgements are owed by the millisecond; and a waiting task's worker may be freed by another shard.
  const bool waiting = shard.held.size() > 0;
  return shard.timers.quiet_ticks(waiting || !shard.owed.empty() ? std::min(max_ms, 1U) : max_ms);
}

}  // namespace mcplane::dataplane
