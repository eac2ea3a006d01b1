// The short way into the broker for who is known. All frames of one session share their headers up to a few fields, so
// those that arrive are held against what the frames sent to it say, the other way round: two wide comparisons take
// the place of a parser. What does not match in every bit is parse_frame()'s to judge; what does, it would accept too.
// Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/types.h"
#include "wire/datagram.h"
#include "wire/header.h"
#include "wire/layout.h"

namespace mcplane::wire {

// One session's frames as they have to come in.
struct KnownSender {
  static constexpr std::size_t kWindow = 32;

  // The frame's first kWindow bytes, and the kWindow bytes before its UDP checksum: all headers, of which there are 42
  // to 66 bytes. Fields that vary are 0.
  std::array<std::byte, 2 * kWindow> want{};
  std::uint16_t pseudo_sum = 0;  // of addresses, protocol and ports, in memory order
  std::uint16_t vlan = kNoVlan;
  std::uint8_t lead_at = 0;  // offset of the MCP datagram; 0: nobody is known
  std::uint8_t l3_at = 0;
  std::uint8_t layout = 0;  // which fields vary
  bool ipv6 = false;
};

static_assert(sizeof(KnownSender) == 72);

// From the headers of frames to that peer.
KnownSender make_known_sender(const LowerHeaders& towards) noexcept;

// Where the MCP datagram of a frame would start, by its EtherType alone; 0 when it has none, or not the whole lead.
inline std::size_t peek_lead(std::span<const std::byte> frame) noexcept {
  constexpr std::size_t kLeast = kEthernetBytes + kIpv4Bytes + kUdpBytes;
  if (frame.size() < kLeast + kLeadBytes) return 0;
  const std::size_t tag = load_be16(frame.data() + 12) == kEtherVlan ? kVlanBytes : 0;
  const std::uint16_t type = load_be16(frame.data() + 12 + tag);
  if (type != kEtherIpv4 && type != kEtherIpv6) return 0;
  const std::size_t lead = kLeast + tag + (type == kEtherIpv6 ? kIpv6Bytes - kIpv4Bytes : 0);
  return frame.size() >= lead + kLeadBytes ? lead : 0;
}

// Whether the frame, which is as long as peek_lead() asks, is a sound one of that peer, checksums and a whole lead
// included. Then class, offsets, length, VLAN and tail_sum of `out` are as parse_frame() sets them; the addresses,
// which the session has, are not set.
bool recognise(const KnownSender& sender, std::span<const std::byte> frame, bool checksum_good, Datagram& out) noexcept;

}  // namespace mcplane::wire
