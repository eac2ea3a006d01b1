// Each function fills the fields its receiver looks at.
#include "support/broker_frames.h"

#include <cstring>

#include "wire/ack.h"

namespace mcplane::test {

using wire::FrameType;

Frame::Frame(FrameType type, std::span<const std::byte> behind) : storage_(2 + wire::kLeadBytes + behind.size()) {
  wire::begin_datagram(mutable_bytes(), type);
  if (!behind.empty()) std::memcpy(mutable_bytes().data() + wire::kLeadBytes, behind.data(), behind.size());
}

Frame::Frame(std::span<const std::byte> datagram) : storage_(2 + datagram.size()) {
  std::memcpy(mutable_bytes().data(), datagram.data(), datagram.size());
}

Frame retry(std::uint32_t issued_ms, const Life& life) {
  Frame frame(FrameType::Retry, std::vector<std::byte>(wire::kCookieBytes));
  constexpr SipKey kKey = {1, 2};
  wire::set_cookie(frame.mutable_bytes(), wire::make_cookie(kKey, {}, issued_ms));
  frame.header().mutate_boot_id(life.boot_id);
  frame.header().mutate_sequence(life.hello);
  return frame;
}

Frame welcome(const Life& life) {
  const wire::fb::Welcome body(life.port, life.base_port, life.shards, life.slot_limit, life.frame_bytes, 0,
                               life.heartbeat_interval_ms, life.max_ack_delay_us);
  Frame frame(FrameType::Ack, std::as_bytes(std::span(&body, 1)));
  frame.header().mutate_answers(FrameType::Hello);
  frame.header().mutate_boot_id(life.boot_id);
  frame.header().mutate_session(life.session);
  frame.header().mutate_sequence(life.hello);
  std::memcpy(frame.header().mutable_task_id()->Data(), life.instance.data(), life.instance.size());
  return frame;
}

Frame ping(const Life& life) {
  Frame frame(FrameType::Ping);
  frame.header().mutate_boot_id(life.boot_id);
  frame.header().mutate_session(life.session);
  return frame;
}

Frame pong(const Life& life, std::uint32_t number) {
  Frame frame(FrameType::Pong);
  frame.header().mutate_boot_id(life.boot_id);
  frame.header().mutate_session(life.session);
  frame.header().mutate_sequence(number);
  frame.header().mutate_slot(life.slot_limit);
  return frame;
}

Frame unknown_session(const Life& life) {
  Frame frame(FrameType::Reject);
  frame.header().mutate_answers(FrameType::Ping);
  frame.header().mutate_reason(wire::Reason::UnknownSession);
  frame.header().mutate_boot_id(life.boot_id);
  frame.header().mutate_session(life.session);
  return frame;
}

Frame deliver(std::span<const std::byte> send, std::span<const std::byte> answer, wire::Reason reason) {
  Frame frame(FrameType::Deliver, answer);
  wire::Header& header = frame.header();
  header = wire::header_of(send);
  header.mutate_type(FrameType::Deliver);
  header.mutate_reason(reason);
  header.mutate_executed(wire::Executed::Yes);
  header.mutate_attempt(1);
  header.mutate_worker_session(0x00300003);
  header.mutate_table_length(0);
  header.mutate_message_length(static_cast<std::uint32_t>(answer.size()));
  header.mutate_queued_us(10);
  header.mutate_worker_us(20);
  header.mutate_broker_us(30);
  return frame;
}

Frame reject(std::span<const std::byte> send, wire::Reason reason, wire::Executed executed,
             std::uint32_t retry_after_ms) {
  Frame frame(FrameType::Reject);
  wire::Header& header = frame.header();
  header = wire::header_of(send);
  header.mutate_type(FrameType::Reject);
  header.mutate_answers(wire::header_of(send).type());
  header.mutate_reason(reason);
  header.mutate_executed(executed);
  header.mutate_table_length(0);
  header.mutate_message_length(0);
  header.mutate_ttl_ms(retry_after_ms);
  return frame;
}

Frame acknowledge(std::span<const std::byte> frame) {
  const wire::Header& of = wire::header_of(frame);
  Frame ack(FrameType::Ack);
  ack.header().mutate_answers(of.type());
  ack.header().mutate_boot_id(of.boot_id());
  ack.header().mutate_session(of.session());
  ack.header().mutate_slot(of.slot());
  ack.header().mutate_sequence(of.sequence());
  return ack;
}

Frame pull(std::span<const std::byte> send, const Attempt& attempt) {
  Frame frame = acknowledge(send);
  frame.header().mutate_type(FrameType::Resend);
  frame.header().mutate_attempt(attempt.number);
  wire::set_token(frame.header(), attempt.token);
  return frame;
}

namespace {

void set_attempt(wire::Header& header, const Life& life, const Attempt& attempt) {
  header.mutate_boot_id(life.boot_id);
  header.mutate_worker_session(life.session);
  header.mutate_attempt(attempt.number);
  wire::set_token(header, attempt.token);
}

}  // namespace

Frame route(const Life& life, const Attempt& attempt, std::span<const std::byte> table,
            std::span<const std::byte> payload, std::uint32_t client_session) {
  std::vector<std::byte> behind(table.begin(), table.end());
  behind.insert(behind.end(), payload.begin(), payload.end());
  Frame frame(FrameType::Route, behind);
  wire::Header& header = frame.header();
  set_attempt(header, life, attempt);
  header.mutate_session(client_session);
  header.mutate_table_length(static_cast<std::uint16_t>(table.size()));
  header.mutate_message_length(static_cast<std::uint32_t>(behind.size()));
  header.mutate_ttl_ms(30'000);
  wire::set_route_number(header, attempt.route);
  for (std::uint16_t i = 0; i < 16; ++i) {
    header.mutable_task_id()->Mutate(i, static_cast<std::uint8_t>(i + 1));
    header.mutable_trace_id()->Mutate(i, static_cast<std::uint8_t>(i + 101));
  }
  return frame;
}

Frame cancel(const Life& life, const Attempt& attempt) {
  Frame frame(FrameType::Cancel);
  set_attempt(frame.header(), life, attempt);
  frame.header().mutate_session(0x00200002);
  wire::set_route_number(frame.header(), attempt.route);
  return frame;
}

Frame acknowledge_result(const Life& life, std::uint32_t number, wire::Reason reason) {
  Frame frame(FrameType::Ack);
  frame.header().mutate_boot_id(life.boot_id);
  frame.header().mutate_session(0x00200002);
  frame.header().mutate_worker_session(life.session);
  frame.header().mutate_answers(FrameType::Result);
  frame.header().mutate_sequence(number);
  frame.header().mutate_reason(reason);
  return frame;
}

Frame pull_result(const Life& life, const Attempt& attempt) {
  Frame frame(FrameType::Resend);
  set_attempt(frame.header(), life, attempt);
  frame.header().mutate_session(0x00200002);
  frame.header().mutate_answers(FrameType::Result);
  return frame;
}

Frame event(const Life& life, std::uint32_t subscription, std::uint16_t shard, std::uint32_t number,
            std::span<const std::byte> table, std::span<const std::byte> payload) {
  std::vector<std::byte> behind(table.begin(), table.end());
  behind.insert(behind.end(), payload.begin(), payload.end());
  Frame frame(FrameType::Event, behind);
  wire::Header& header = frame.header();
  header.mutate_boot_id(life.boot_id);
  header.mutate_session(life.session);
  header.mutate_token_index(subscription);
  header.mutate_slot(shard);
  header.mutate_sequence(number);
  header.mutate_table_length(static_cast<std::uint16_t>(table.size()));
  header.mutate_message_length(static_cast<std::uint32_t>(behind.size()));
  return frame;
}

Frame with_entry(const Frame& ack, std::uint32_t name, std::uint32_t number) {
  std::vector<std::byte> behind(ack.bytes().begin() + wire::kLeadBytes, ack.bytes().end());
  const std::size_t length = behind.size();
  behind.resize(length + sizeof(wire::AckEntry));
  Frame longer(FrameType::Ack, behind);
  longer.header() = wire::header_of(ack.bytes());
  wire::append_ack_entry(longer.mutable_bytes(), wire::kLeadBytes + length, name, number);
  return longer;
}

}  // namespace mcplane::test
