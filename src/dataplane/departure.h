// How stations let go of frames: the few shapes a frame takes on its way out. All run on the shard's core.
#pragma once

#include <cstdint>
#include <utility>

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// Whether a SEND is one part of its task, and the others are not at hand.
inline bool is_task_part(const Frame& frame) noexcept {
  return wire::is_task_part(*frame.header, frame.ip.payload_length - wire::kLeadBytes);
}

// The packet leaves `packet` empty, so that it is not freed where it was.
inline net::Packet take(net::Packet& packet) noexcept { return packet.take(); }

// The notes ingress made about a frame that waited.
Frame frame_of(const HeldFrame& held) noexcept;

// Sends the MCP datagram that a received packet holds (its header already rewritten) to a session.
Verdict forward(Shard& shard, net::Packet& packet, const Frame& frame, const Session& to) noexcept;

// Turns a received frame into a headers-only answer of `type` to where it came from, in its own buffer: what follows
// the header is cut off, everything but identity (session, slot, sequence, token, ids) is cleared.
// The session's own headers are used when there is one, else the frame's addresses are swapped.
struct Answer {
  wire::FrameType type = wire::FrameType::Reject;
  wire::Reason reason = wire::Reason::Ok;
  wire::Executed executed = wire::Executed::NotSaid;
  std::uint32_t ttl_ms = 0;                       // REJECT: wait before a retry; PONG: heartbeat interval
  std::uint16_t slot = 0;                         // PONG: slot limit; otherwise the frame's own
  std::uint32_t ack_delay_us = 0;                 // PONG
  std::uint32_t slots = 0, free_slots = 0;        // REJECT: of the workers that could have had it
  wire::FrameType about = wire::FrameType::Send;  // send_about(): the frame answered, or asked for
};
Verdict answer(Shard& shard, net::Packet& packet, Frame& frame, const Session* session, const Answer& how) noexcept;

// answer() with a REJECT, counted by reason. Without ttl_ms, retry when the shard's options say.
Verdict reject(Shard& shard, net::Packet& packet, Frame& frame, const Session* session, Answer how) noexcept;

// A SEND becomes a DELIVER of the broker's own, in its own buffer: `payload` behind the header, which fits every frame.
struct OwnAnswer {
  wire::Substitute kind{};
  wire::Executed executed = wire::Executed::No;
  std::uint8_t attempt = 0;
  TaskToken token{};  // 0: no task came of it, and nobody waits for an acknowledgement
  std::span<const std::byte> payload;
};
Verdict deliver_own(Shard& shard, net::Packet& packet, Frame& frame, const Session& client,
                    const OwnAnswer& what) noexcept;

// RETRY with a fresh cookie in the HELLO's own buffer; shorter than any HELLO.
Verdict retry(Shard& shard, net::Packet& packet, Frame& frame) noexcept;

// Where the datagram of a frame of our own starts: where that of a received untagged IPv4 one would, so that its header
// is aligned alike.
inline constexpr std::uint16_t kDatagramOffset = wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes;
// A spare buffer with a zeroed header of `type` there; without a buffer when none is left: counted no_buffer.
net::Packet take_datagram(Shard& shard, wire::FrameType type) noexcept;
void send_datagram(Shard& shard, net::Packet& packet, std::uint16_t length, const Session& to) noexcept;

// A headers-only frame about `task`, to `to`. Without a buffer it is like one that is lost on its way.
// REJECT and RESEND(SEND) go to the task's client, CANCEL and RESEND(RESULT) to its worker.
void send_about(Shard& shard, const Task& task, const Session& to, const Answer& how) noexcept;

}  // namespace mcplane::dataplane
