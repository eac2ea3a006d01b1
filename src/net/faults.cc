// See faults.h.
#include "net/faults.h"

#include <algorithm>

#include "wire/datagram.h"
#include "wire/layout.h"

namespace mcplane::net {
namespace {

using wire::load_be16;
using wire::load_u8;

constexpr std::uint32_t kBurstBits = 15;

// Empty unless the frame is whole UDP with a checksum. Looks at what it needs; stations check the rest.
std::span<std::byte> checksummed_payload(std::span<std::byte> frame) noexcept {
  std::size_t at = wire::kEthernetBytes;
  if (frame.size() >= at + wire::kVlanBytes && load_be16(&frame[at - 2]) == wire::kEtherVlan) at += wire::kVlanBytes;
  if (frame.size() < at + wire::kIpv6Bytes + wire::kUdpBytes) return {};
  const std::uint16_t type = load_be16(&frame[at - 2]);
  const bool v4 = type == wire::kEtherIpv4;
  if (!v4 && type != wire::kEtherIpv6) return {};
  constexpr std::uint8_t kIpv4WithoutOptions = 0x45;
  if (v4 && load_u8(&frame[at]) != kIpv4WithoutOptions) return {};
  if (load_u8(&frame[at + (v4 ? 9 : 6)]) != wire::kProtocolUdp) return {};
  at += v4 ? wire::kIpv4Bytes : wire::kIpv6Bytes;
  const std::size_t length = load_be16(&frame[at + 4]);
  if (length <= wire::kUdpBytes || frame.size() - at < length || load_be16(&frame[at + 6]) == 0) return {};
  return frame.subspan(at + wire::kUdpBytes, length - wire::kUdpBytes);
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

bool Dice::corrupt(std::span<std::byte> frame) noexcept {
  const auto payload = checksummed_payload(frame);
  if (payload.size() * 8 < kBurstBits) return false;
  const auto bits = static_cast<std::uint32_t>(payload.size() * 8);
  const std::uint32_t start = random_.below(bits - kBurstBits + 1);
  // The first bit always flips, the others by chance.
  const std::uint32_t pattern = 1U | random_.below(1U << kBurstBits);
  for (std::uint32_t i = 0; i < kBurstBits; ++i)
    if ((pattern >> i & 1U) != 0) payload[(start + i) / 8] ^= std::byte{1} << (7 - (start + i) % 8);
  return true;
}

}  // namespace mcplane::net
