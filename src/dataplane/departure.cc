// See departure.h. Answers are made in the received buffer, so answering needs no memory and a full pool still
// answers; none is longer than the frame it answers.
#include "dataplane/departure.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "base/prefetch.h"
#include "wire/checksum.h"
#include "wire/registration.h"

namespace mcplane::dataplane {
namespace {

// Leaves identity (session, slot, sequence, token, attempt, ids) as it is and makes the rest an answer. An ACK or
// REJECT says that it is to a frame of type `about`, a RESEND that it asks for one.
void rewrite_as(wire::Header& header, wire::FrameType about, std::uint32_t boot_id, const Answer& how) noexcept {
  header.mutate_version(wire::kVersion);
  header.mutate_type(how.type);
  header.mutate_flags(0);
  header.mutate_reason(how.reason);
  header.mutate_executed(how.executed);
  const bool names_it =
      how.type == wire::FrameType::Ack || how.type == wire::FrameType::Reject || how.type == wire::FrameType::Resend;
  header.mutate_answers(names_it ? about : wire::FrameType::None);
  header.mutate_boot_id(boot_id);
  header.mutate_table_length(0);
  header.mutate_fragment_index(0);
  header.mutate_message_length(0);
  header.mutate_ttl_ms(how.ttl_ms);
  wire::set_slots(header, how.slots, how.free_slots);
  header.mutate_broker_us(0);
}

// Swaps the addresses of a received frame: the way back to a peer that has no session.
void swap_back(Shard& shard, net::Packet& packet, const Frame& frame, std::uint16_t payload_length) noexcept {
  wire::MacAddress peer_mac;
  std::memcpy(peer_mac.data(), packet.data() + peer_mac.size(), peer_mac.size());
  const wire::LocalAddresses& local = shard.options.ports[raw(packet.port())];
  const wire::LowerHeaders lower = wire::make_lower_headers(
      local.mac, peer_mac, frame.ip.vlan, {frame.ip.destination, frame.ip.destination_port}, frame.ip.source);
  packet.move_start(frame.ip.payload_offset - lower.length);
  packet.set_length(static_cast<std::uint16_t>(lower.length + payload_length));
  const auto datagram = packet.bytes().subspan(lower.length);
  wire::write_lower_headers(lower, packet.data(), payload_length, wire::sum_bytes(datagram));
  Departure& departure = shard.departures.add();
  departure.to = nullptr;
  departure.port = packet.port();
  departure.packet = take(packet);
}

}  // namespace

Frame frame_of(const HeldFrame& held) noexcept {
  Frame frame;
  frame.ip.payload_offset = held.payload_offset;
  frame.ip.payload_length = held.payload_length;
  frame.ip.tail_sum = held.tail_sum;
  frame.header = &wire::header_of(held.packet.bytes().subspan(held.payload_offset));
  return frame;
}

Verdict forward(Shard& shard, net::Packet& packet, const Frame& frame, const Session& to) noexcept {
  Departure& departure = shard.departures.add();
  packet.give_to(departure.packet);
  departure.to = &to.record;
  departure.port = to.record.port;
  departure.payload_offset = frame.ip.payload_offset;
  departure.payload_length = frame.ip.payload_length;
  departure.tail_sum = frame.ip.tail_sum;
  // For egress.
  prefetch_to_read(&to.record.lower);
  shard.shared.neighbours.prefetch(to.record.neighbour);
  return Verdict::forward();
}

Verdict answer(Shard& shard, net::Packet& packet, Frame& frame, const Session* session, const Answer& how) noexcept {
  wire::Header& header = *frame.header;
  rewrite_as(header, header.type(), shard.shared.options.boot_id, how);
  if (how.type == wire::FrameType::Pong) {
    header.mutate_slot(how.slot);
    wire::set_pong_ack_delay_us(header, how.ack_delay_us);
  }
  if (how.type == wire::FrameType::Ack) shard.counters.acks_sent.add();
  frame.ip.payload_length = wire::kLeadBytes;
  frame.ip.tail_sum = 0;
  if (session != nullptr) return forward(shard, packet, frame, *session);
  swap_back(shard, packet, frame, wire::kLeadBytes);
  return Verdict::forward();
}

Verdict reject(Shard& shard, net::Packet& packet, Frame& frame, const Session* session, Answer how) noexcept {
  shard.counters_of(frame.header->flags()).rejected[raw(how.reason)].add();
  if (how.ttl_ms == 0) how.ttl_ms = shard.options.retry_after_ms;
  return answer(shard, packet, frame, session, how);
}

Verdict deliver_own(Shard& shard, net::Packet& packet, Frame& frame, const Session& client,
                    const OwnAnswer& what) noexcept {
  wire::Header& header = *frame.header;
  rewrite_as(header, wire::FrameType::Send, shard.shared.options.boot_id,
             {.type = wire::FrameType::Deliver, .executed = what.executed});
  wire::set_substitute(header, what.kind);
  wire::set_token(header, what.token);
  header.mutate_attempt(what.attempt);
  header.mutate_worker_session(0);
  header.mutate_message_length(static_cast<std::uint32_t>(what.payload.size()));
  frame.ip.payload_length = static_cast<std::uint16_t>(wire::kLeadBytes + what.payload.size());
  frame.ip.tail_sum = wire::sum_bytes(what.payload);
  std::byte* const datagram = packet.data() + frame.ip.payload_offset;
  if (!what.payload.empty()) std::memcpy(datagram + wire::kLeadBytes, what.payload.data(), what.payload.size());
  return forward(shard, packet, frame, client);
}

Verdict retry(Shard& shard, net::Packet& packet, Frame& frame) noexcept {
  const auto datagram = packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length);
  rewrite_as(*frame.header, wire::FrameType::Hello, shard.shared.options.boot_id, {.type = wire::FrameType::Retry});
  wire::set_cookie(datagram, wire::make_cookie(shard.shared.options.cookie_key, frame.ip.source, shard.now_ms));
  swap_back(shard, packet, frame, wire::kLeadBytes + wire::kCookieBytes);
  return Verdict::forward();
}

net::Packet take_datagram(Shard& shard, wire::FrameType type) noexcept {
  net::Packet packet = shard.take_spare();
  if (packet.buffer() == nullptr) {
    shard.counters.no_buffer.add();
    return packet;
  }
  wire::begin_datagram({packet.data() + kDatagramOffset, wire::kLeadBytes}, type);
  return packet;
}

void send_datagram(Shard& shard, net::Packet& packet, std::uint16_t length, const Session& to) noexcept {
  packet.set_length(static_cast<std::uint16_t>(kDatagramOffset + length));
  Frame frame;
  frame.ip.payload_offset = kDatagramOffset;
  frame.ip.payload_length = length;
  frame.ip.tail_sum = wire::sum_bytes({packet.data() + kDatagramOffset + wire::kLeadBytes, length - wire::kLeadBytes});
  forward(shard, packet, frame, to);
}

void send_about(Shard& shard, const Task& task, const Session& to, const Answer& how) noexcept {
  net::Packet packet = take_datagram(shard, how.type);
  if (packet.buffer() == nullptr) return;
  wire::Header& header = wire::header_of(std::span(packet.data() + kDatagramOffset, wire::kLeadBytes));
  rewrite_as(header, how.about, shard.shared.options.boot_id, how);
  header.mutate_session(to.record.id.value);
  header.mutate_worker_session(task.worker_session.value);
  header.mutate_slot(task.slot);
  header.mutate_sequence(task.sequence);
  header.mutate_attempt(task.attempt);
  wire::set_token(header, shard.token_of(task));
  if (how.type == wire::FrameType::Cancel) wire::set_route_number(header, task.number);
  if (planted(PlantedBug::kResendOtherToken) && how.type == wire::FrameType::Resend)
    header.mutate_token_generation(task.generation + 1);
  send_datagram(shard, packet, wire::kLeadBytes, to);
}

}  // namespace mcplane::dataplane
