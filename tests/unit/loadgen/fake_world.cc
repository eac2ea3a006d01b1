// See fake_world.h.
#include "fake_world.h"

#include <algorithm>
#include <cstring>

namespace mcplane::loadgen {
namespace {

constexpr std::uint32_t kBootId = 77;
constexpr std::uint16_t kClientPort = 20'000, kWorkerPort = 40'000;
const wire::IpAddress kPeerIp = wire::IpAddress::v4({10, 0, 0, 2});

bool every(std::uint32_t n, std::uint32_t count) noexcept { return n != 0 && count % n == 0; }

void sample(wire::Header& header) {
  header.mutate_flags(header.flags() | raw(wire::Flag::Sampled));
  std::memset(header.mutable_trace_id()->Data(), 0x5a, sizeof(wire::Id16) + sizeof(wire::SpanId));
}

}  // namespace

wire::Header& FakeBroker::append(wire::FrameType type, const wire::Endpoint& to, std::size_t body_bytes) {
  replies_.push_back({to, std::vector<std::byte>(2 + wire::kLeadBytes + body_bytes)});
  wire::Header& header = wire::begin_datagram(std::span(replies_.back().bytes).subspan(2), type);
  header.mutate_boot_id(kBootId);
  return header;
}

std::vector<FakeBroker::Datagram> FakeBroker::handle(std::span<const std::byte> datagram, const wire::Endpoint& from) {
  replies_.clear();
  if (faults_.never_answers || wire::check_datagram(datagram) != DropReason::kNone) return {};
  const wire::Header& header = wire::header_of(datagram);
  switch (header.type()) {
    case wire::FrameType::Hello:
      on_hello(datagram, from);
      break;
    case wire::FrameType::Send:
      on_send(datagram, from);
      break;
    case wire::FrameType::Result:
      on_result(datagram, from);
      break;
    case wire::FrameType::Grant:
      on_grant(datagram);
      break;
    case wire::FrameType::Cancel:
      acknowledge(header, from);
      break;
    case wire::FrameType::Ack:
      if (header.answers() == wire::FrameType::Deliver) ++outcomes_known_;
      break;
    case wire::FrameType::Ping: {
      wire::Header& pong = append(wire::FrameType::Pong, from, 0);
      pong.mutate_session(header.session());
      pong.mutate_sequence(header.sequence());
      pong.mutate_slot(faults_.slot_limit);
      break;
    }
    default:
      break;
  }
  return std::exchange(replies_, {});
}

void FakeBroker::on_hello(std::span<const std::byte> datagram, const wire::Endpoint& from) {
  const wire::fb::Cookie cookie = wire::cookie_of(datagram);
  const std::uint32_t number = wire::header_of(datagram).sequence();
  if (cookie.issued_ms() == 0) {
    append(wire::FrameType::Retry, from, wire::kCookieBytes).mutate_sequence(number);
    wire::set_cookie(std::span(replies_.back().bytes).subspan(2), wire::fb::Cookie(1, std::array<std::uint8_t, 8>{}));
    return;
  }
  const auto hello = wire::read_hello(wire::table_of(datagram));
  if (!hello) return;
  wire::Header& ack = append(wire::FrameType::Ack, from, sizeof(wire::fb::Welcome));
  ack.mutate_answers(wire::FrameType::Hello);
  ack.mutate_sequence(number);
  ack.mutate_session(SessionId::make(++sessions_, 1).value);
  std::memcpy(ack.mutable_task_id()->Data(), hello->instance.data(), hello->instance.size());
  const wire::fb::Welcome welcome(port_, port_, 1, faults_.slot_limit, kMtuBytes, 0, 1'000, 1'000);
  std::memcpy(replies_.back().bytes.data() + 2 + wire::kLeadBytes, &welcome, sizeof welcome);
  if (wire::is_worker(hello->service)) workers_.push_back({from, ack.session()});
}

void FakeBroker::on_send(std::span<const std::byte> datagram, const wire::Endpoint& from) {
  const wire::Header& send = wire::header_of(datagram);
  if (send.fragment_index() != 0) return on_part(datagram);
  if (every(faults_.miss_every, ++heard_)) return;
  Exchange& exchange = exchanges_[{send.session(), send.slot()}];
  if (exchange.sequence == send.sequence()) return on_repeated_send(datagram, from);
  ++sends_;
  exchange = {send.sequence(), every(faults_.lose_every, sends_)};
  if (exchange.lost) return;
  if (every(faults_.reject_every, sends_)) {
    wire::Header& reject = append(wire::FrameType::Reject, from, 0);
    reject = send;
    reject.mutate_type(wire::FrameType::Reject);
    reject.mutate_answers(wire::FrameType::Send);
    reject.mutate_reason(wire::Reason::QueueFull);
    reject.mutate_executed(wire::Executed::No);
    reject.mutate_table_length(0);
    reject.mutate_message_length(0);
    reject.mutate_ttl_ms(20);
    return;
  }
  if (workers_.empty()) {
    const auto task = wire::read_task_payload(wire::payload_of(datagram));
    return deliver(send, from, wire::write_answer(task ? task->prompt : ""));
  }
  Worker& worker = workers_[routes_ % workers_.size()];
  ++routes_;
  std::uint32_t place = static_cast<std::uint32_t>(routed_.size());
  if (!places_left_.empty()) {
    place = places_left_.back();
    places_left_.pop_back();
  }
  Waiting& task = routed_[place] = {send, from, send, worker.endpoint};
  task.route.mutate_type(wire::FrameType::Route);
  task.route.mutate_attempt(1);
  task.route.mutate_sequence(0);  // acknowledges no RESULT
  task.route.mutate_worker_session(worker.session);
  wire::set_route_number(task.route, ++worker.routes);
  wire::set_token(task.route, TaskToken::make(ShardId{0}, place, routes_));
  if (every(faults_.sample_every, sends_)) sample(task.route);
  if (every(faults_.ask_every, sends_)) return ask(task.route, wire::FrameType::Send, send.session(), from);
  route_to(task, datagram.subspan(wire::kLeadBytes));
}

void FakeBroker::ask(const wire::Header& like, wire::FrameType about, std::uint32_t session,
                     const wire::Endpoint& whom) {
  wire::Header& resend = append(wire::FrameType::Resend, whom, 0);
  resend.mutate_answers(about);
  resend.mutate_session(session);
  resend.mutate_worker_session(like.worker_session());
  resend.mutate_attempt(like.attempt());
  resend.mutate_slot(like.slot());
  resend.mutate_sequence(about == wire::FrameType::Send ? exchanges_[{session, like.slot()}].sequence : 0);
  wire::set_token(resend, wire::token_of(like));
}

wire::Header& FakeBroker::route_to(const Waiting& task, std::span<const std::byte> body) {
  wire::Header& route = append(wire::FrameType::Route, task.worker, body.size());
  route = task.route;
  std::memcpy(replies_.back().bytes.data() + 2 + wire::kLeadBytes, body.data(), body.size());
  return route;
}

FakeBroker::Waiting* FakeBroker::find_routed(TaskToken token) {
  const auto found = routed_.find(token.index());
  return found != routed_.end() && wire::token_of(found->second.route) == token ? &found->second : nullptr;
}

void FakeBroker::on_part(std::span<const std::byte> datagram) {
  const wire::Header& part = wire::header_of(datagram);
  const Waiting* const task = find_routed(wire::token_of(part));
  if (task == nullptr) return;
  wire::Header& route = route_to(*task, datagram.subspan(wire::kLeadBytes));
  route.mutate_fragment_index(part.fragment_index());
  route.mutate_table_length(0);
}

void FakeBroker::on_grant(std::span<const std::byte> datagram) {
  const wire::Header& given = wire::header_of(datagram);
  const Waiting* const task = find_routed(wire::token_of(given));
  if (task == nullptr) return;
  if (given.answers() == wire::FrameType::Result) {
    const auto bitmap = wire::payload_of(datagram);
    append(wire::FrameType::Grant, task->worker, bitmap.size()) = given;
    std::ranges::copy(bitmap, replies_.back().bytes.end() - static_cast<std::ptrdiff_t>(bitmap.size()));
    return;
  }
  wire::Header& grant = append(wire::FrameType::Grant, task->client, 0);
  grant = given;
  grant.mutate_session(task->send.session());
  grant.mutate_slot(task->send.slot());
  grant.mutate_sequence(task->send.sequence());
}

void FakeBroker::on_repeated_send(std::span<const std::byte> datagram, const wire::Endpoint& from) {
  const wire::Header& send = wire::header_of(datagram);
  if (const Waiting* const asked_for = find_routed(wire::token_of(send))) {
    route_to(*asked_for, datagram.subspan(wire::kLeadBytes));
  } else if (!exchanges_[{send.session(), send.slot()}].lost) {
    acknowledge(send, from);
  }
}

wire::Header& FakeBroker::acknowledge(const wire::Header& of, const wire::Endpoint& to) {
  wire::Header& ack = append(wire::FrameType::Ack, to, 0);
  ack.mutate_answers(of.type());
  ack.mutate_session(of.session());
  ack.mutate_worker_session(of.worker_session());
  ack.mutate_slot(of.slot());
  ack.mutate_sequence(of.sequence());
  return ack;
}

void FakeBroker::on_result(std::span<const std::byte> datagram, const wire::Endpoint& from) {
  const wire::Header& result = wire::header_of(datagram);
  const bool more = wire::has(result.flags(), wire::Flag::More);
  if (!more) acknowledge(result, from);
  const TaskToken token = wire::token_of(result);
  Waiting* const task = find_routed(token);
  if (task == nullptr) return;
  if (every(faults_.ask_every, token.generation) && !std::exchange(task->asked_answer, true))
    return ask(result, wire::FrameType::Result, result.worker_session(), from);
  deliver(task->send, task->client, wire::payload_of(datagram));
  wire::Header& delivered = wire::header_of(std::span(replies_.back().bytes).subspan(2));
  delivered.mutate_flags(more ? raw(wire::Flag::More) : std::uint16_t{0});
  delivered.mutate_fragment_index(result.fragment_index());
  delivered.mutate_worker_session(result.worker_session());
  wire::set_token(delivered, token);
  std::memcpy(delivered.mutable_task_id()->Data(), result.task_id()->Data(), sizeof(wire::Id16));
  delivered.mutate_worker_us(result.worker_us());
  delivered.mutate_reason(result.reason());
  if (every(faults_.sample_every, token.generation)) sample(delivered);
  if (more) return;
  routed_.erase(token.index());
  places_left_.push_back(token.index());
}

void FakeBroker::deliver(const wire::Header& send, const wire::Endpoint& to, std::span<const std::byte> answer) {
  wire::Header& header = append(wire::FrameType::Deliver, to, answer.size());
  header = send;
  header.mutate_type(wire::FrameType::Deliver);
  header.mutate_executed(wire::Executed::Yes);
  header.mutate_attempt(1);
  header.mutate_table_length(0);
  header.mutate_message_length(static_cast<std::uint32_t>(answer.size()));
  header.mutate_queued_us(3);
  header.mutate_broker_us(2);
  std::byte* const body = replies_.back().bytes.data() + 2 + wire::kLeadBytes;
  std::memcpy(body, answer.data(), answer.size());
  ++answers_;
  if (every(faults_.corrupt_every, answers_)) {
    // A letter of the text, so that the answer still reads as one.
    const std::string_view text = wire::read_answer({body, answer.size()}).value();
    body[reinterpret_cast<const std::byte*>(text.data()) - body + 20] ^= std::byte{1};
  }
  if (every(faults_.degrade_every, answers_)) {
    wire::set_substitute(header, wire::Substitute::Skip);
    header.mutate_message_length(0);
    replies_.back().bytes.resize(2 + wire::kLeadBytes);
  }
  if (every(faults_.duplicate_every, answers_)) replies_.push_back(Datagram(replies_.back()));
}

FakeWorld::FakeWorld(const Options& options, const Faults& faults)
    : options_(options),
      faults_(faults),
      broker_(faults),
      clients_(options, 11, transmit_from(Place::kClient), progress_) {
  if (options.workers > 0) workers_ = std::make_unique<WorkerFleet>(options, 12, transmit_from(Place::kWorker));
}

Transmit FakeWorld::transmit_from(Place place) {
  return [this, place](std::size_t index, client::Outbox& burst) {
    for (const auto& entry : burst.entries()) {
      std::vector<std::byte> bytes(2);
      bytes.insert(bytes.end(), entry.datagram.begin(), entry.datagram.end());
      events_.push({now_ns_ + kDelayNs, ++order_, Place::kBroker, index, place, std::move(bytes)});
    }
    burst.clear();
  };
}

void FakeWorld::step() {
  std::uint64_t next_ns = clients_.next_wake_ns();
  if (workers_) next_ns = std::min(next_ns, workers_->next_wake_ns());
  if (!events_.empty()) next_ns = std::min(next_ns, events_.top().time_ns);
  now_ns_ = std::max(now_ns_, next_ns);
  while (!calls_.empty() && calls_.begin()->first <= now_ns_) calls_.extract(calls_.begin()).mapped()();
  while (!events_.empty() && events_.top().time_ns <= now_ns_) {
    const Event event = events_.top();
    events_.pop();
    arrive(event);
  }
  clients_.on_time(now_ns_);
  if (workers_) workers_->on_time(now_ns_);
}

void FakeWorld::arrive(const Event& event) {
  const auto datagram = std::span(event.bytes).subspan(2);
  if (event.place == Place::kBroker) return to_broker(event);
  if (event.place == Place::kClient) {
    clients_.on_datagram(event.index, datagram, broker_endpoint(), now_ns_);
    clients_.on_burst_end(event.index, now_ns_);
  } else {
    workers_->on_datagram(event.index, datagram, broker_endpoint(), now_ns_);
    workers_->on_burst_end(event.index, now_ns_);
  }
}

void FakeWorld::to_broker(const Event& event) {
  const bool silent =
      begun_ns_ != 0 && now_ns_ >= begun_ns_ + faults_.silent_from_ns && now_ns_ < begun_ns_ + faults_.silent_until_ns;
  if (silent) {
    Event later = event;
    later.time_ns = begun_ns_ + faults_.silent_until_ns;
    events_.push(std::move(later));
    return;
  }
  const std::uint16_t base_port = event.from == Place::kClient ? kClientPort : kWorkerPort;
  const wire::Endpoint from{kPeerIp, static_cast<std::uint16_t>(base_port + event.index)};
  for (auto& reply : broker_.handle(std::span(event.bytes).subspan(2), from)) {
    const bool to_worker = reply.to.port >= kWorkerPort;
    const std::size_t index = reply.to.port - (to_worker ? kWorkerPort : kClientPort);
    events_.push({now_ns_ + kDelayNs, ++order_, to_worker ? Place::kWorker : Place::kClient, index, Place::kBroker,
                  std::move(reply.bytes)});
  }
}

void FakeWorld::run_until_registered() {
  const std::uint64_t give_up_ns = now_ns_ + 5 * kNsPerSecond;
  const auto all = [this] {
    return clients_.registered() == options_.clients && (!workers_ || workers_->registered() == options_.workers);
  };
  while (!all() && now_ns_ < give_up_ns) step();
}

void FakeWorld::advance_to(std::uint64_t until_ns) {
  while (now_ns_ < until_ns) step();
}

const Tally& FakeWorld::run() {
  run_until_registered();
  begun_ns_ = now_ns_;
  clients_.begin(now_ns_);
  while (!clients_.done()) step();
  return clients_.close(now_ns_);
}

}  // namespace mcplane::loadgen
