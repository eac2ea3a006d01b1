// Callbacks may submit more tasks, so nothing here is iterated while one runs: completions are taken off one by one,
// and a task's place is free before its callback is called.
#include "client/async_core.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/broker_address.h"
#include "client/endpoint_setup.h"

namespace mcplane::client {

namespace {

constexpr int kBurstsMax = 16;  // datagram bursts a process(), so that timers are not starved
constexpr int kTimersMax = 64;

wire::HelloBody hello_of(const ClientOptions& options) {
  wire::HelloBody hello;
  hello.service = wire::Service::kClient;
  hello.slots = options.slots;
  hello.name = endpoint_name(options.name);
  return checked_hello(std::move(hello));
}

}  // namespace

AsyncCore::AsyncCore(const ClientOptions& options)
    : brokers_(parse_broker_list(options.broker)),
      trace_(options.trace),
      socket_(brokers_.front()),
      random_(random_source()),
      engine_(brokers_.front(), hello_of(options), kMtu, random_source()),
      waiting_earliest_ns_(EventLoop::kNever) {
  loop_.add(socket_.fd());
  for (std::size_t i = 1; i < brokers_.size(); ++i) engine_.add_broker(brokers_[i]);
  const std::uint64_t now = now_ns();
  engine_.start(now, outbox_);
  flush();
  check_first_send(socket_.refusal(), brokers_.front());
  loop_.arm(next_timer_ns(now), now);
}

AsyncCore::~AsyncCore() { close(); }

void AsyncCore::process() {
  receive();
  run_timers();
  const std::uint64_t now = now_ns();
  send_waiting(now);
  flush();
  loop_.arm(next_timer_ns(now), now);
}

void AsyncCore::receive() {
  for (int i = 0; i < kBurstsMax; ++i) {
    const auto burst = socket_.receive();
    if (burst.empty()) return;
    const std::uint64_t now = now_ns();
    for (const auto& received : burst) {
      engine_.on_datagram(received.datagram, received.from, now, outbox_, done_);
      hand_out_events();
      settle(done_, now);
    }
    send_waiting(now);
    flush();
  }
}

void AsyncCore::run_timers() {
  const std::uint64_t now = now_ns();
  for (int i = 0; i < kTimersMax && engine_.next_timer_ns() <= now; ++i) {
    engine_.on_timer(now, outbox_, done_);
    settle(done_, now);
    if (outbox_.full()) flush();
  }
  if (waiting_earliest_ns_ <= now) expire_waiting(now);
}

std::uint64_t AsyncCore::next_timer_ns(std::uint64_t now) const noexcept {
  if (outbox_.full()) return waiting_earliest_ns_;  // room in the socket wakes us before anything else can be done
  const std::uint64_t either_ns = std::min(engine_.next_timer_ns(), waiting_earliest_ns_);
  // When nothing holds the next one back but a slot or the session, what frees those wakes us.
  const std::uint64_t send_ns = waiting_.empty() ? 0 : throttle_.next_send_ns(now);
  return send_ns > now ? std::min(either_ns, send_ns) : either_ns;
}

bool AsyncCore::flush() {
  const bool sent = socket_.send(outbox_);
  loop_.want_write(socket_.fd(), !sent);
  return sent;
}

std::size_t AsyncCore::take_place() {
  if (free_.empty()) {
    pending_.emplace_back();
    return pending_.size() - 1;
  }
  const std::size_t index = free_.back();
  free_.pop_back();
  return index;
}

AsyncCore::Pending AsyncCore::free_place(std::size_t index) {
  Pending pending = std::exchange(pending_[index], {});
  pending_[index].generation = pending.generation + 1;
  free_.push_back(index);
  return pending;
}

AsyncCore::Pending* AsyncCore::find(std::uint64_t context) noexcept {
  const auto index = static_cast<std::uint32_t>(context);
  return pending_[index].busy && context_of(index) == context ? &pending_[index] : nullptr;
}

void AsyncCore::submit(Task task, OutcomeCallback done, ChunkCallback chunk) {
  const std::uint64_t now = now_ns();
  const std::size_t index = take_place();
  {
    Pending& pending = pending_[index];
    pending.busy = true;
    pending.done = std::move(done);
    pending.chunk = std::move(chunk);
    pending.submitted_ns = now;
    pending.task_id = task.id;
    pending.trace = begin_trace(task.traceparent, trace_.sample, random_);
    pending.action = task.action;
  }
  if (closed_) return finish_unsent(index, OutcomeKind::kBrokerLost, "broker_lost", now);
  if (auto fault = malformed_field(task); !fault.empty())
    return finish_unsent(index, OutcomeKind::kRejected, "malformed: " + fault, now);
  if (certainly_too_large(task)) return finish_unsent(index, OutcomeKind::kRejected, "too_large", now);
  Pending& pending = pending_[index];
  pending.encoded = encode_task(task, random_);
  pending.task_id = std::move(task.id);
  const auto ttl = std::chrono::duration_cast<std::chrono::nanoseconds>(task.ttl);
  pending.deadline_ns = now + static_cast<std::uint64_t>(ttl.count());
  const Sent sent = waiting_.empty() ? try_send(index, now) : Sent::kLater;
  if (sent == Sent::kTooLarge) return finish_unsent(index, OutcomeKind::kRejected, "too_large", now);
  if (sent == Sent::kYes) return;
  pending.waits = true;
  waiting_.push_back(index);
  waiting_earliest_ns_ = std::min(waiting_earliest_ns_, pending.deadline_ns);
  loop_.arm(next_timer_ns(now), now);
}

// Before its deadline: at least 1 ms of the TTL is said to be left.
AsyncCore::Sent AsyncCore::try_send(std::size_t index, std::uint64_t now) {
  if (throttle_.next_send_ns(now) > now) return Sent::kLater;
  Pending& pending = pending_[index];
  const std::uint64_t left_ms = (pending.deadline_ns - now) / kNsPerMs;
  SendRequest request;
  request.context = context_of(index);
  request.task_id = pending.encoded.id;
  request.ttl_ms = static_cast<std::uint32_t>(std::max<std::uint64_t>(left_ms, 1));
  request.flags = static_cast<std::uint16_t>(pending.encoded.flags | pending.trace.own.flags);
  request.trace_id = pending.trace.own.trace_id;
  request.parent_span = pending.trace.own.span;
  request.affinity = pending.encoded.affinity;
  request.table = pending.encoded.table;
  request.payload = pending.encoded.payload;
  switch (engine_.send(request, now, outbox_)) {
    case SendStatus::kSent:
      pending.encoded = {};
      pending.waits = false;
      throttle_.on_sent(now);
      loop_.arm(next_timer_ns(now), now);
      return Sent::kYes;
    case SendStatus::kTooLarge:
      return Sent::kTooLarge;
    case SendStatus::kNoSlot:
    case SendStatus::kNotRegistered:
    case SendStatus::kOutboxFull:
      break;
  }
  return Sent::kLater;
}

void AsyncCore::send_waiting(std::uint64_t now) {
  while (!waiting_.empty()) {
    const std::size_t index = waiting_.front();
    if (outbox_.full()) flush();
    const bool expired = pending_[index].deadline_ns <= now;
    const Sent sent = expired ? Sent::kLater : try_send(index, now);
    if (sent == Sent::kLater && !expired) return;
    waiting_.pop_front();
    if (expired) finish_unsent(index, OutcomeKind::kExpiredUnrouted, "expired", now);
    if (sent == Sent::kTooLarge) finish_unsent(index, OutcomeKind::kRejected, "too_large", now);
  }
  waiting_earliest_ns_ = EventLoop::kNever;
}

void AsyncCore::expire_waiting(std::uint64_t now) {
  std::vector<std::size_t> expired;
  waiting_earliest_ns_ = EventLoop::kNever;
  std::erase_if(waiting_, [&](std::size_t index) {
    const std::uint64_t deadline_ns = pending_[index].deadline_ns;
    if (deadline_ns <= now) {
      expired.push_back(index);
      return true;
    }
    waiting_earliest_ns_ = std::min(waiting_earliest_ns_, deadline_ns);
    return false;
  });
  for (const std::size_t index : expired) finish_unsent(index, OutcomeKind::kExpiredUnrouted, "expired", now);
}

bool AsyncCore::cancel(std::string_view task_id) {
  const std::uint64_t now = now_ns();
  bool found = false;
  // A callback may submit more, and those take places that are free.
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (!pending_[i].busy || pending_[i].task_id != task_id) continue;
    found = true;
    if (pending_[i].waits) {
      std::erase(waiting_, i);
      finish_unsent(i, OutcomeKind::kCancelled, "cancelled", now);
      continue;
    }
    if (outbox_.full()) flush();
    std::vector<Completion> ended;  // not done_: a callback of those may have called this
    engine_.cancel(context_of(i), now, outbox_, ended);
    settle(ended, now);
  }
  if (!closed_) loop_.arm(next_timer_ns(now), now);
  return found;
}

void AsyncCore::finish_unsent(std::size_t index, OutcomeKind kind, std::string reason, std::uint64_t now) {
  Pending pending = free_place(index);
  Outcome outcome;
  outcome.kind = kind;
  outcome.executed = Executed::kNo;
  outcome.task_id = std::move(pending.task_id);
  outcome.reason = std::move(reason);
  outcome.timing.total = std::chrono::microseconds((now - pending.submitted_ns) / kNsPerUs);
  tell(pending, outcome, now);
  if (pending.done) pending.done(std::move(outcome));
}

void AsyncCore::close() {
  if (closed_) return;
  closed_ = true;
  const std::uint64_t now = now_ns();
  flush();
  engine_.close(now, outbox_, done_);
  flush();
  settle(done_, now);
  const auto waiting = std::exchange(waiting_, {});
  for (const std::size_t index : waiting) finish_unsent(index, OutcomeKind::kBrokerLost, "broker_lost", now);
  subscriptions_.end_all("broker_lost");
}

}  // namespace mcplane::client
