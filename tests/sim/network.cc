// Each copy of a frame draws its own fate, in a fixed order of draws.
#include "network.h"

#include <algorithm>

namespace mcplane::sim {

Network::Copy Network::copy(std::uint64_t now_ns, const Path& path, bool late) {
  std::uint64_t at_ns = now_ns + between_ns(random_, faults_.delay_min_ns, faults_.delay_max_ns);
  if (late || chance(random_, faults_.reorder)) at_ns += between_ns(random_, 0, faults_.reorder_ns);
  // What a clog held back comes out close together, not in one instant.
  if (at_ns < path.clogged_ns) at_ns = path.clogged_ns + between_ns(random_, 0, 200'000);
  latest_ns_ = std::max(latest_ns_, at_ns);
  return {at_ns, chance(random_, faults_.corrupt)};
}

std::span<const Network::Copy> Network::transmit(std::uint64_t now_ns, std::size_t peer, Direction direction) {
  copies_.clear();
  const Path& way = path(peer, direction);
  if (now_ns < way.cut_ns || chance(random_, faults_.loss)) return copies_;
  copies_.push_back(copy(now_ns, way, false));
  if (chance(random_, faults_.duplicate)) copies_.push_back(copy(now_ns, way, true));
  return copies_;
}

void Network::corrupt(std::span<std::byte> frame, std::size_t l3_offset) {
  constexpr std::uint32_t kBurstBits = 15;
  const auto first = static_cast<std::uint32_t>(8 * l3_offset);
  const auto bits = static_cast<std::uint32_t>(8 * frame.size());
  if (bits < first + kBurstBits) return;
  const std::uint32_t start = between(random_, first, bits - kBurstBits);
  // The first bit always flips; the others by chance.
  const std::uint32_t pattern = 1U | random_.below(1U << kBurstBits);
  for (std::uint32_t i = 0; i < kBurstBits; ++i)
    if ((pattern >> i & 1U) != 0) frame[(start + i) / 8] ^= std::byte{1} << (7 - (start + i) % 8);
}

void Network::heal() {
  const Faults none;
  faults_.loss = faults_.duplicate = faults_.reorder = faults_.corrupt = 0;
  faults_.delay_min_ns = none.delay_min_ns;
  faults_.delay_max_ns = none.delay_max_ns;
  std::ranges::fill(paths_, Path{});
}

}  // namespace mcplane::sim
