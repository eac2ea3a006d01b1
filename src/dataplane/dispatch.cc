// Station 3 of 7. From: ingress. To: route (SEND), complete (RESULT, ACK), handoff, or answered at once.
// The only switch on frame type. It also holds the rule that a frame's source must be its session's: who breaks it is
// told once, in a frame no longer than his own, that he is unknown here.
#include <algorithm>

#include "dataplane/departure.h"
#include "dataplane/parts.h"
#include "wire/registration.h"
#include "wire/retransmission.h"

namespace mcplane::dataplane {
namespace {

// A cookie is good for as long as an endpoint may take to come back with it.
constexpr std::uint32_t kCookieAgeMaxMs = 10'000;

Verdict on_hello(Shard& shard, net::Packet& packet, Frame& frame) noexcept {
  const auto datagram = packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length);
  const bool valid = wire::cookie_valid(shard.shared.options.cookie_key, frame.ip.source, wire::cookie_of(datagram),
                                        shard.now_ms, kCookieAgeMaxMs);
  return valid ? Verdict::punt() : retry(shard, packet, frame);
}

// RETRY, ACK and REJECT never elicit an answer; the others come from brokers and have no business here.
constexpr bool answerable(wire::FrameType type) noexcept {
  switch (type) {
    case wire::FrameType::Retry:
    case wire::FrameType::Ack:
    case wire::FrameType::Pong:
    case wire::FrameType::Route:
    case wire::FrameType::Deliver:
    case wire::FrameType::Reject:
    case wire::FrameType::Resend:
    case wire::FrameType::Event:
      return false;
    default:
      return true;
  }
}

// The session the frame claims, when the claim holds; otherwise the verdict for it.
Session* find_session(Shard& shard, net::Packet& packet, Frame& frame, Verdict& verdict) noexcept {
  if (frame.session != nullptr) return frame.session;
  const wire::Header& header = *frame.header;
  const SessionId claimed = wire::sender_of(header);
  Session* session = header.boot_id() == shard.shared.options.boot_id ? shard.sessions.find(claimed) : nullptr;
  const DropReason reason = session == nullptr                        ? DropReason::kUnknownSession
                            : session->record.peer != frame.ip.source ? DropReason::kWrongSource
                                                                      : DropReason::kNone;
  if (reason == DropReason::kNone) return session;
  // Who names no session at all would get a REJECT that names none either, which nobody takes.
  verdict = answerable(header.type()) && claimed
                ? reject(shard, packet, frame, nullptr, {.reason = wire::Reason::UnknownSession})
                : Verdict::drop(reason);
  return nullptr;
}

// A shard whose waiting lines fill up asks its clients for less, while there is still room for what is on its way.
// A load test is told otherwise: it is refused.
std::uint16_t slots_wanted(const Shard& shard, const Session& session) noexcept {
  const std::uint64_t shadow = shard.counters.shadow.in_state[raw(TaskState::kQueued)].read();
  const std::uint64_t waiting = shard.held.size() - shadow, room = shard.held.capacity();
  const unsigned fewer = waiting > room - room / 4 ? 2 : waiting > room / 2 ? 1 : 0;
  const std::uint16_t limit = session.record.slot_limit;
  return static_cast<std::uint16_t>(limit == 0 ? 0 : std::max(1, limit >> fewer));
}

// Grows with the peers there are: what the session was granted when it came may be too often by now.
std::uint32_t heartbeat_wanted_ms(const Shard& shard, const Session& session) noexcept {
  const auto& wanted =
      wire::is_worker(session.record.service) ? shard.shared.worker_heartbeat_ms : shard.shared.client_heartbeat_ms;
  return wanted.load(std::memory_order_relaxed);
}

Verdict on_ping(Shard& shard, net::Packet& packet, Frame& frame, Session& session) noexcept {
  const wire::Header& header = *frame.header;
  const std::uint32_t delay_us = shard.shared.ack_delay_us.load(std::memory_order_relaxed);
  if (const std::uint32_t srtt_us = wire::ping_srtt_us(header); srtt_us != 0) {
    const std::uint64_t pto_ns =
        wire::pto_ns(srtt_us * kNsPerUs, wire::ping_rttvar_us(header) * kNsPerUs, delay_us * kNsPerUs);
    session.pto_ms = static_cast<std::uint16_t>((pto_ns + kNsPerMs - 1) / kNsPerMs);
  }
  return answer(shard, packet, frame, &session,
                {.type = wire::FrameType::Pong,
                 .ttl_ms = heartbeat_wanted_ms(shard, session),
                 .slot = slots_wanted(shard, session),
                 .ack_delay_us = delay_us});
}

Verdict on_frame(Shard& shard, net::Packet& packet, Frame& frame) noexcept {
  const wire::FrameType type = frame.header->type();
  if (type == wire::FrameType::Hello) return on_hello(shard, packet, frame);
  Verdict verdict;
  Session* session = find_session(shard, packet, frame, verdict);
  if (session == nullptr) return verdict;
  shard.heard_from(session->record.id);

  // Nearly all are one of these.
  if (type == wire::FrameType::Send) return on_send(shard, packet, frame, *session);
  if (type == wire::FrameType::Result) return on_result(shard, packet, frame);
  switch (type) {
    case wire::FrameType::Ack:
      return on_ack(shard, packet, frame, *session);
    case wire::FrameType::Grant:
      return on_grant(shard, packet, frame, *session);
    case wire::FrameType::Cancel:
      return on_cancel(shard, packet, frame, *session);
    case wire::FrameType::Ping:
      return on_ping(shard, packet, frame, *session);
    case wire::FrameType::Publish:
      return on_publish(shard, packet, frame);
    case wire::FrameType::Bye:
    case wire::FrameType::Subscribe:
    case wire::FrameType::Unsubscribe:
      return Verdict::punt();
    default:  // what only brokers send
      return Verdict::drop(DropReason::kUnsupportedType);
  }
}

}  // namespace

void dispatch(Shard& shard, std::span<net::Packet> packets, std::span<Frame> frames,
              std::span<Verdict> verdicts) noexcept {
  const std::size_t upcoming = shard.upcoming.frames();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (!verdicts[i].decided()) verdicts[i] = on_frame(shard, packets[i], frames[i]);
    if (i < upcoming) shard.upcoming.prefetch_frame(i);
  }
}

}  // namespace mcplane::dataplane
