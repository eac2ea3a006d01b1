// See ledger.h. A REJECT of a routed task has no task id, so outcomes on the wire are found by their exchange.
#include "ledger.h"

#include <algorithm>
#include <cstring>

namespace mcplane::sim {
namespace {

// Between the instant a timer is due and the one it runs at.
constexpr std::uint64_t kTimerSlackNs = 100'000;

}  // namespace

void Ledger::fail(std::string_view oracle, std::uint32_t number, std::string_view what) {
  verdict_.fail(oracle, "task " + std::to_string(number) + " " + std::string(what));
}

wire::Id16 Ledger::id_of(std::uint32_t number) noexcept {
  wire::Id16 id{};
  std::memcpy(id.data(), &number, sizeof number);
  id[15] = 1;
  return id;
}

std::uint32_t Ledger::number_of(const wire::Id16& id) noexcept {
  std::uint32_t number = 0;
  std::memcpy(&number, id.data(), sizeof number);
  return number;
}

std::uint32_t Ledger::begin(std::uint32_t client, std::uint32_t ttl_ms, std::uint64_t now_ns) {
  Task& task = tasks_.emplace_back();
  task.client = client;
  task.ttl_ms = ttl_ms;
  task.deadline_ns = now_ns + ttl_ms * kNsPerMs + client::kGraceNs;
  ++open_;
  return number_of(task);
}

void Ledger::on_send(const wire::Header& header) {
  const std::uint32_t number = number_of(wire::task_id_of(header));
  const auto [known, fresh] = by_exchange_.try_emplace(exchange_of(header), number);
  if (fresh) return;
  tasks_[number].shares_exchange = tasks_[known->second].shares_exchange = true;
  known->second = number;
}

void Ledger::on_execution(std::uint32_t number, std::uint32_t ttl_ms) {
  if (number >= tasks_.size()) return fail("9 a worker ran what nobody sent", number, "is unknown");
  Task& task = tasks_[number];
  if (++task.executions > 1) fail("3 at most once", number, "was executed a second time");
  if (task.denied) fail("3 executed=no", number, "was executed after its client heard that it was not");
  if (task.routes == 0) fail("8 executed without a ROUTE", number, "never left the broker");
  if (ttl_ms == 0) fail("6 no ROUTE without time", number, "had no time left");
}

void Ledger::on_outcome(const client::Completion& completion, std::span<const std::byte> answer, std::uint64_t now_ns) {
  const auto number = static_cast<std::uint32_t>(completion.context);
  Task& task = tasks_[number];
  if (task.ended) return fail("2 one outcome", number, "had a second outcome");
  task.ended = true;
  --open_;
  task.reason = completion.reason;
  task.outcome = completion.delivered ? Seen::kDelivered : Seen::kRejected;
  if (now_ns > task.deadline_ns + kTimerSlackNs) fail("1 outcome in time", number, "ended after TTL and grace");
  const bool denied = completion.executed == wire::Executed::No;
  task.denied = task.denied || denied;
  if (denied && task.executions > 0) fail("3 executed=no", number, "was executed, and its client heard it was not");
  if (!completion.delivered) return;
  ++delivered_;
  if (task.executions == 0) fail("8 RESULT of the live attempt", number, "was delivered and never executed");
  if (completion.executed != wire::Executed::Yes) fail("3 executed=yes", number, "was delivered, executed not Yes");
  if (completion.worker_session != task.worker_session)
    fail("8 RESULT of the live attempt", number, "was answered by a worker it was not routed to");
  const bool empty = completion.reason == wire::Reason::TooLarge && completion.payload.empty();
  if (!empty && !std::ranges::equal(completion.payload, answer))
    fail("9 the answer to this task", number, "was delivered with another answer than its worker gave");
}

void Ledger::on_client_gone(std::uint32_t client) {
  for (Task& task : tasks_) {
    if (task.client != client || task.ended) continue;
    task.ended = task.abandoned = true;
    --open_;
  }
}

void Ledger::on_broker_frame(const wire::Header& header, std::uint32_t to) {
  if (header.type() == wire::FrameType::Route) return on_route(header);
  const bool deliver = header.type() == wire::FrameType::Deliver;
  const bool reject = header.type() == wire::FrameType::Reject && header.answers() == wire::FrameType::Send &&
                      header.reason() != wire::Reason::UnknownSession && header.reason() != wire::Reason::Unsupported;
  if (!deliver && !reject) return;
  const auto found = by_exchange_.find(exchange_of(header));
  if (found == by_exchange_.end())
    return verdict_.fail("9 outcomes only of what was sent", "an outcome of an exchange that no client began");
  Task& task = tasks_[found->second];
  if (task.client != to) fail("9 only to the session that sent", found->second, "had its outcome sent to another peer");
  if (task.shares_exchange) return;
  deliver ? on_deliver(header, to, task) : on_reject(header, to, task);
}

void Ledger::on_route(const wire::Header& header) {
  const std::uint32_t number = number_of(wire::task_id_of(header));
  if (number >= tasks_.size()) return fail("9 ROUTE of what was sent", number, "is unknown");
  Task& task = tasks_[number];
  // Nothing is retransmitted or routed anew in this release.
  if (++task.routes > 1) fail("3 at most once", number, "was routed a second time");
  if (task.denied) fail("3 executed=no", number, "was routed after its client heard that it was not executed");
  if (header.ttl_ms() == 0) fail("6 no ROUTE without time", number, "was routed with no time left");
  if (header.ttl_ms() > task.ttl_ms) fail("6 time only shrinks", number, "was routed with more time than it had");
  task.worker_session = header.worker_session();
}

void Ledger::on_deliver(const wire::Header& header, std::uint32_t, Task& task) {
  const std::uint32_t number = number_of(task);
  if (task.on_wire == Seen::kDelivered) fail("2 one DELIVER", number, "was delivered twice by the broker");
  if (task.on_wire == Seen::kRejected) fail("1 REJECT is final", number, "was delivered after a REJECT");
  task.on_wire = Seen::kDelivered;
  if (task.executions == 0) fail("8 RESULT of the live attempt", number, "was delivered and never executed");
  if (header.worker_session() != task.worker_session)
    fail("8 RESULT of the live attempt", number, "was answered by a worker it was not routed to");
  if (header.session() == 0 || number_of(wire::task_id_of(header)) != number)
    fail("9 the answer to this task", number, "was answered with another task's RESULT");
}

void Ledger::on_reject(const wire::Header& header, std::uint32_t, Task& task) {
  const std::uint32_t number = number_of(task);
  if (task.on_wire == Seen::kDelivered) fail("1 one outcome", number, "was rejected after its DELIVER");
  if (task.on_wire == Seen::kRejected && task.wire_reason != header.reason())
    fail("1 REJECT is final", number, "was rejected again for another reason");
  task.on_wire = Seen::kRejected;
  task.wire_reason = header.reason();
  if (header.executed() != wire::Executed::No) return;
  task.denied = true;
  if (task.routes > 0) fail("3 executed=no", number, "was routed, and its client is told it was not executed");
}

void Ledger::sweep(std::uint64_t now_ns) {
  if (open_ == 0) return;
  for (const Task& task : tasks_)
    if (!task.ended && now_ns > task.deadline_ns + kTimerSlackNs)
      fail("1 outcome in time", number_of(task), "has no outcome after TTL and grace");
}

}  // namespace mcplane::sim
