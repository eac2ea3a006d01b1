// The short way into the broker for who is known. All frames of one session share their headers up to a few fields, so
// those that arrive are held against the headers of frames to it, turned round: a wide comparison and a few narrow ones
// take the place of a parser. What does not match in every bit is parse_frame()'s to judge; what does, it would accept
// too. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/datagram.h"
#include "wire/header.h"
#include "wire/layout.h"
#include "wire/lower_headers.h"

namespace mcplane::wire {

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

// Whether the frame, which is as long as peek_lead() asks, is a sound one of who frames with the headers `towards` go
// to, checksums and a whole lead included. Then the payload's place and length, and tail_sum, of `out` are as
// parse_frame() sets them; the others are not set, since the session has them. If not, `out` says nothing.
// towards.length is what peek_lead() says, so not 0.
bool recognise(const LowerHeaders& towards, std::span<const std::byte> frame, bool checksum_good,
               Datagram& out) noexcept;

}  // namespace mcplane::wire
