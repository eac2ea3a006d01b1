// Each copy of a frame draws its own fate, in a fixed order of draws.
#include "network.h"

#include <algorithm>

#include "net/faults.h"
#include "wire/layout.h"

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

void Network::corrupt(std::span<std::byte> frame, const Peek& peek) {
  std::byte* const checksum = frame.data() + peek.udp_offset + 6;
  const std::uint16_t sound = wire::load_be16(checksum);
  net::flip_burst(frame.subspan(peek.l3_offset), random_);
  // 0 says over IPv4 that there is none, and nobody would find the damage.
  if (wire::load_be16(checksum) == 0) wire::store_be16(checksum, sound);
}

void Network::heal() {
  const Faults none;
  faults_.loss = faults_.duplicate = faults_.reorder = faults_.corrupt = 0;
  faults_.delay_min_ns = none.delay_min_ns;
  faults_.delay_max_ns = none.delay_max_ns;
  std::ranges::fill(paths_, Path{});
}

}  // namespace mcplane::sim
