// Blocking receive with a short timeout, so that the thread notices it is to stop; one frame at a time.
#include "support/mini_broker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "support/loopback.h"
#include "wire/ack.h"
#include "wire/topic.h"

namespace mcplane::test {

using wire::FrameType;

namespace {

constexpr SipKey kCookieKey = {3, 4};
constexpr std::uint32_t kHeartbeatMs = 20;

wire::Endpoint endpoint_of(const sockaddr_in& address) {
  std::array<std::uint8_t, 4> octets;
  std::memcpy(octets.data(), &address.sin_addr, octets.size());
  return {wire::IpAddress::v4(octets), ntohs(address.sin_port)};
}

}  // namespace

MiniBroker::MiniBroker() : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
  self_ = {wire::IpAddress::v4({127, 0, 0, 1}), bind_to_loopback(socket_)};
  CHECK(self_.port != 0);
  // Bursts of many threads; without privileges the system's limit is what there is.
  const int buffer_bytes = 4 << 20;
  if (setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0)
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  const timeval timeout{.tv_sec = 0, .tv_usec = 10'000};
  CHECK(setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
  life_.port = life_.base_port = self_.port;
  life_.shards = 1;
  static std::atomic<std::uint32_t> lives{0xb007};
  life_.boot_id = ++lives;
  life_.heartbeat_interval_ms = kHeartbeatMs;
  thread_ = std::thread([this] { run(); });
}

MiniBroker::~MiniBroker() {
  stopping_ = true;
  thread_.join();
  ::close(socket_);
}

void MiniBroker::run() {
  std::vector<std::byte> buffer(65'536);
  while (!stopping_) {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const auto got = recvfrom(socket_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0 || silent_) continue;
    Frame frame(std::span<const std::byte>(buffer).first(static_cast<std::size_t>(got)));
    if (wire::check_datagram(frame.bytes()) == DropReason::kNone) on_frame(std::move(frame), endpoint_of(from));
  }
}

void MiniBroker::on_frame(Frame frame, const wire::Endpoint& from) {
  wire::Header& header = frame.header();
  if (header.type() == FrameType::Hello) return on_hello(frame, from);
  const auto peer = peers_.find(wire::sender_of(header).value);
  if (peer == peers_.end() || peer->second != from) return;
  switch (header.type()) {
    case FrameType::Ping:
      ++pings_;
      header.mutate_type(FrameType::Pong);
      header.mutate_slot(life_.slot_limit);
      return transmit(frame, from);
    case FrameType::Bye:
      ++byes_;
      return;
    case FrameType::Send:
      return on_send(std::move(frame), from);
    case FrameType::Cancel:
      return on_cancel(frame, from);
    case FrameType::Subscribe:
    case FrameType::Unsubscribe:
      return on_subscribe(frame, from);
    case FrameType::Publish:
      return on_publish(frame);
    case FrameType::Result:
      return on_result(std::move(frame));
    case FrameType::Grant:
      return on_grant(std::move(frame));
    case FrameType::Ack:
      if (header.answers() != FrameType::Deliver) return;
      on_delivered(header.session(), header.slot(), header.sequence());
      for (const auto& entry : wire::ack_entries(frame.bytes()))
        on_delivered(header.session(), entry.name(), entry.number());
      return;
    default:
      return;
  }
}

void MiniBroker::on_hello(const Frame& frame, const wire::Endpoint& from) {
  const auto cookie = wire::cookie_of(frame.bytes());
  constexpr std::uint32_t kNowMs = 1, kAgeMs = 1;
  if (!wire::cookie_valid(kCookieKey, from, cookie, kNowMs, kAgeMs)) {
    Frame answer(FrameType::Retry, std::vector<std::byte>(wire::kCookieBytes));
    wire::set_cookie(answer.mutable_bytes(), wire::make_cookie(kCookieKey, from, kNowMs));
    answer.header().mutate_boot_id(life_.boot_id);
    answer.header().mutate_sequence(wire::header_of(frame.bytes()).sequence());
    return transmit(answer, from);
  }
  const auto hello = wire::read_hello(wire::table_of(frame.bytes()));
  if (!hello) return;
  Life life = life_of(next_session_++);
  life.instance = hello->instance;
  life.hello = wire::header_of(frame.bytes()).sequence();
  peers_[life.session] = from;
  if (wire::is_worker(hello->service)) {
    worker_session_ = life.session;
    routes_ = 0;
  }
  transmit(welcome(life), from);
}

void MiniBroker::on_send(Frame frame, const wire::Endpoint& from) {
  const auto known = find_task(frame.header());
  const bool is_part = wire::is_task_part(frame.header(), frame.bytes().size() - wire::kLeadBytes);
  if (is_part && known != tasks_.end()) return forward_route(std::move(frame), known->first);
  std::uint32_t& last = sequences_[{frame.header().session(), frame.header().slot()}];
  if (last == frame.header().sequence()) return transmit(acknowledge(frame.bytes()), from);
  on_delivered(frame.header().session(), frame.header().slot(), last);
  last = frame.header().sequence();
  ++sends_;
  if (const std::uint32_t retry_after_ms = retry_after_ms_; retry_after_ms != 0)
    return transmit(reject(frame.bytes(), wire::Reason::QueueFull, wire::Executed::No, retry_after_ms), from);
  if (worker_session_ == 0)
    return transmit(reject(frame.bytes(), wire::Reason::NoWorker, wire::Executed::No, 50), from);
  const std::uint32_t generation = next_generation_++;
  tasks_.emplace(generation, Task{frame, from, worker_session_, ++routes_});
  forward_route(std::move(frame), generation);
}

void MiniBroker::forward_route(Frame send, std::uint32_t generation) const {
  const Task& task = tasks_.at(generation);
  wire::Header& header = send.header();
  header.mutate_type(FrameType::Route);
  header.mutate_attempt(1);
  header.mutate_sequence(0);
  header.mutate_worker_session(task.worker_session);
  wire::set_token(header, {7, generation});
  wire::set_route_number(header, task.route);
  transmit(send, peers_.at(task.worker_session));
}

MiniBroker::Tasks::iterator MiniBroker::find_task(const wire::Header& from_client) {
  return std::find_if(tasks_.begin(), tasks_.end(), [&](const auto& entry) {
    const wire::Header& send = wire::header_of(entry.second.send.bytes());
    return send.session() == from_client.session() && send.slot() == from_client.slot() &&
           send.sequence() == from_client.sequence();
  });
}

void MiniBroker::on_grant(Frame frame) {
  const auto found = tasks_.find(frame.header().token_generation());
  if (found == tasks_.end()) return;
  const Task& task = found->second;
  wire::Header& header = frame.header();
  header.mutate_worker_session(task.worker_session);
  if (header.answers() == FrameType::Result) return transmit(frame, peers_.at(task.worker_session));
  const wire::Header& send = wire::header_of(task.send.bytes());
  header.mutate_session(send.session());
  header.mutate_slot(send.slot());
  header.mutate_sequence(send.sequence());
  transmit(frame, task.client);
}

// The worker need not keep an answer in parts any longer.
void MiniBroker::on_delivered(std::uint32_t client_session, std::uint32_t slot, std::uint32_t sequence) {
  std::erase_if(tasks_, [&](const auto& entry) {
    const Task& task = entry.second;
    const wire::Header& send = wire::header_of(task.send.bytes());
    if (task.result == 0 || send.session() != client_session || send.slot() != slot || send.sequence() != sequence)
      return false;
    transmit(acknowledge_result(life_of(task.worker_session), task.result), peers_.at(task.worker_session));
    return true;
  });
}

// The task's outcome is the client's own by then; its worker is told once.
void MiniBroker::on_cancel(const Frame& frame, const wire::Endpoint& from) {
  ++cancels_;
  if (const auto found = find_task(wire::header_of(frame.bytes())); found != tasks_.end()) {
    const Task& task = found->second;
    const Attempt attempt{.token = {7, found->first}, .number = 1, .route = task.route};
    transmit(cancel(life_of(task.worker_session), attempt), peers_.at(task.worker_session));
    tasks_.erase(found);
  }
  transmit(acknowledge(frame.bytes()), from);
}

void MiniBroker::on_subscribe(const Frame& frame, const wire::Endpoint& from) {
  const wire::Header& header = wire::header_of(frame.bytes());
  if (header.type() == FrameType::Unsubscribe) {
    patterns_.erase({header.session(), header.sequence()});
    return transmit(acknowledge(frame.bytes()), from);
  }
  const auto wanted = wire::read_subscription(wire::table_of(frame.bytes()));
  if (!wanted || refuse_subscriptions_)
    return transmit(reject(frame.bytes(), wire::Reason::TableFull, wire::Executed::NotSaid), from);
  patterns_[{header.session(), header.sequence()}] = wanted->topic;
  transmit(acknowledge(frame.bytes()), from);
}

void MiniBroker::on_publish(const Frame& frame) {
  const auto table = wire::table_of(frame.bytes());
  const auto topic = wire::read_publication(table);
  const std::uint32_t lost = events_lost_.exchange(0);
  for (const auto& [name, pattern] : patterns_) {
    if (!topic || !wire::topic_matches(pattern, topic->whole())) continue;
    const auto [session, subscription] = name;
    const std::uint32_t number = events_[session] += 1 + lost;
    if (drop_event_.exchange(false)) continue;
    Frame copy = event(life_of(session), subscription, 0, number, table, wire::payload_of(frame.bytes()));
    if (damage_event_.exchange(false)) copy.mutable_bytes().back() ^= std::byte{1};
    transmit(copy, peers_.at(session));
    if (repeat_events_) transmit(copy, peers_.at(session));
  }
}

Life MiniBroker::life_of(std::uint32_t session) const {
  Life life = life_;
  life.session = session;
  return life;
}

void MiniBroker::on_result(Frame frame) {
  const wire::Header& header = frame.header();
  const auto task = tasks_.find(header.token_generation());
  const bool known = task != tasks_.end();
  const bool in_parts = known && (wire::is_answer_part(header) || task->second.result != 0);
  if (!in_parts) {
    const auto reason = known ? wire::Reason::Ok : wire::Reason::Discard;
    const std::uint32_t worker = header.worker_session();
    transmit(acknowledge_result(life_of(worker), header.sequence(), reason), peers_.at(worker));
  }
  if (!known) return;
  Frame outcome = deliver(task->second.send.bytes(), wire::payload_of(frame.bytes()), header.reason());
  wire::set_token(outcome.header(), wire::token_of(header));
  if (in_parts) {
    task->second.result = header.sequence();
    outcome.header().mutate_fragment_index(header.fragment_index());
    outcome.header().mutate_flags(header.flags());
    return transmit(outcome, task->second.client);
  }
  transmit(outcome, task->second.client);
  if (repeat_outcomes_) transmit(outcome, task->second.client);
  tasks_.erase(task);
}

void MiniBroker::transmit(const Frame& frame, const wire::Endpoint& to) const {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  std::memcpy(&address.sin_addr, to.ip.bytes.data() + 12, sizeof address.sin_addr);
  sendto(socket_, frame.bytes().data(), frame.bytes().size(), 0, reinterpret_cast<const sockaddr*>(&address),
         sizeof address);
}

}  // namespace mcplane::test
