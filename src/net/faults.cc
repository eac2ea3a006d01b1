// See faults.h.
#include "net/faults.h"

#include <algorithm>

#include "wire/datagram.h"
#include "wire/layout.h"

namespace mcplane::net {
namespace {

// Empty unless the frame is whole UDP with a checksum.
std::span<std::byte> checksummed_payload(std::span<std::byte> frame) noexcept {
  const std::size_t udp = wire::peek_udp(frame);
  if (udp == 0) return {};
  const std::size_t length = wire::load_be16(&frame[udp + 4]);
  if (length <= wire::kUdpBytes || frame.size() - udp < length || wire::load_be16(&frame[udp + 6]) == 0) return {};
  return frame.subspan(udp + wire::kUdpBytes, length - wire::kUdpBytes);
}

}  // namespace

FaultCounts& FaultCounts::operator+=(const FaultCounts& other) noexcept {
  frames += other.frames;
  lost += other.lost;
  duplicated += other.duplicated;
  reordered += other.reordered;
  corrupted += other.corrupted;
  return *this;
}

Fate Dice::fate() noexcept {
  // Always as many draws, so that one probability does not shift what the others decide.
  Fate fate;
  fate.lost = random_.unit() < faults_.loss;
  fate.duplicated = random_.unit() < faults_.duplicate;
  fate.late = random_.unit() < faults_.reorder;
  fate.corrupted = corrupts();
  return fate;
}

void flip_burst(std::span<std::byte> bytes, Random& random) noexcept {
  const auto bits = static_cast<std::uint32_t>(bytes.size() * 8);
  const std::uint32_t start = random.below(bits - kBurstBits + 1);
  // The first bit always flips, the others by chance.
  const std::uint32_t pattern = 1U | random.below(1U << kBurstBits);
  for (std::uint32_t i = 0; i < kBurstBits; ++i)
    if ((pattern >> i & 1U) != 0) bytes[(start + i) / 8] ^= std::byte{1} << (7 - (start + i) % 8);
}

bool Dice::corrupt(std::span<std::byte> frame) noexcept {
  const auto payload = checksummed_payload(frame);
  if (payload.size() * 8 < kBurstBits) return false;
  flip_burst(payload, random_);
  return true;
}

}  // namespace mcplane::net
