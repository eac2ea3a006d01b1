// What the broker says; see ledger.h. A REJECT of a routed task has no task id, so outcomes are found by their
// exchange.
#include <algorithm>

#include "ledger.h"

namespace mcplane::sim {
namespace {

// Between the loop that reads a SEND and the one that routes it, beyond its time in a line; and what whole
// milliseconds lose.
constexpr std::uint64_t kResidenceSlackNs = 30 * kNsPerMs;

}  // namespace

void Ledger::on_broker_frame(const wire::Header& header, std::uint32_t to, const Departure& departure) {
  count(header);
  if (header.type() == wire::FrameType::Route) return on_route(header, departure);
  const bool deliver = header.type() == wire::FrameType::Deliver;
  const bool reject = header.type() == wire::FrameType::Reject && header.answers() == wire::FrameType::Send &&
                      header.reason() != wire::Reason::UnknownSession && header.reason() != wire::Reason::Unsupported;
  if (!deliver && !reject) return;
  const auto found = by_exchange_.find(exchange_name(header));
  if (found == by_exchange_.end())
    return verdict_.fail("9 outcomes only of what was sent", "an outcome of an exchange that no client began");
  Exchange& exchange = exchanges_[found->second];
  if (tasks_[exchange.task].client != to)
    fail("9 only to the session that sent", exchange.task, "had its outcome sent to another peer");
  const wire::Substitute substitute = wire::substitute_of(header);
  if (deliver && substitute != wire::Substitute::None && substitute != wire::Substitute::Fallback)
    return on_own_answer(header, exchange, departure);
  deliver ? on_deliver(header, exchange, departure) : on_reject(header, exchange);
}

bool Ledger::begins_outcome(const wire::Header& outcome) const {
  const auto found = by_exchange_.find(exchange_name(outcome));
  return found != by_exchange_.end() && exchanges_[found->second].on_wire == Seen::kNothing;
}

bool Ledger::begins_attempt(const wire::Header& route) const {
  const auto found = by_token_.find(token_name(wire::token_of(route), route.boot_id()));
  return found == by_token_.end() || std::ranges::find(exchanges_[found->second].attempts, route.attempt(),
                                                       &Attempt::number) == exchanges_[found->second].attempts.end();
}

std::uint32_t Ledger::unfinished_before(const wire::Header& route) const {
  const auto found = by_token_.find(token_name(wire::token_of(route), route.boot_id()));
  if (found == by_token_.end()) return 0;
  for (const Attempt& attempt : exchanges_[found->second].attempts)
    if (attempt.number + 1 == route.attempt() && !attempt.refused) return attempt.worker_session;
  return 0;
}

// Once, and in nobody's name.
void Ledger::on_copy(const wire::Header& header, std::uint32_t number) {
  if (!copies_.try_emplace(token_name(wire::token_of(header), header.boot_id())).second)
    fail("13 a copy is sent once", number, "was copied again for the same token");
  if (header.session() != header.worker_session())
    fail("13 a copy has no client", number, "was copied in its client's name");
  if (header.ttl_ms() == 0 || header.ttl_ms() > tasks_[number].ttl_ms)
    fail("6 no ROUTE without time", number, "was copied with another time than it had");
}

void Ledger::on_route(const wire::Header& header, const Departure& departure) {
  const std::uint32_t number = number_of(wire::task_id_of(header));
  if (number < tasks_.size() && is_copy(tasks_[number], header.flags())) return on_copy(header, number);
  Exchange* exchange = find_by_task(number, header);
  if (exchange == nullptr) return fail("9 ROUTE of what was sent", number, "is unknown");
  if (header.fragment_index() != 0) return on_route_part(header, *exchange);
  const TaskToken token = wire::token_of(header);
  const auto at = static_cast<std::uint32_t>(exchange - exchanges_.data());
  if (by_token_.try_emplace(token_name(token, header.boot_id()), at).first->second != at)
    fail("8 a token names one task", number, "was routed with another task's token");
  if (header.ttl_ms() == 0) fail("6 no ROUTE without time", number, "was routed with no time left");
  if (header.ttl_ms() > tasks_[number].ttl_ms)
    fail("6 time only shrinks", number, "was routed with more time than it had");
  if (departure.since_ns + header.ttl_ms() * kNsPerMs > exchange->expiry_ns + kResidenceSlackNs)
    fail("6 time in the broker counts", number, "was routed with time that it had spent waiting");
  if (exchange->on_wire == Seen::kRejected && departure.in_order)
    fail(exchange->executed == wire::Executed::No ? "3 executed=no" : "1 REJECT is final", number,
         "was routed after its REJECT");
  if (const Attempt* known = find(*exchange, header.attempt())) {
    if (known->worker_session != header.worker_session() || known->route_number != wire::route_number(header))
      fail("3 at most once", number, "was routed again for the same attempt, and not the same way");
    return;
  }
  // A first attempt may be seen late, behind its successor that another queue sent.
  const bool others = std::ranges::any_of(exchange->attempts, [](const Attempt& other) { return !other.refused; });
  if (others && !tasks_[number].idempotent)
    fail("3 at most once", number, "was routed to a second worker, and may not run twice");
  exchange->attempts.push_back({.token = token,
                                .worker_session = header.worker_session(),
                                .route_number = wire::route_number(header),
                                .number = header.attempt()});
}

// To whom its first part went.
void Ledger::on_route_part(const wire::Header& header, Exchange& exchange) {
  const Attempt* attempt = find(exchange, header.attempt());
  if (attempt == nullptr || attempt->worker_session != header.worker_session() ||
      attempt->token != wire::token_of(header))
    fail("9 parts belong to their task", exchange.task, "had a part routed elsewhere than its first one");
  if (header.ttl_ms() == 0) fail("6 no ROUTE without time", exchange.task, "had a part routed with no time left");
}

void Ledger::on_deliver(const wire::Header& header, Exchange& exchange, const Departure& departure) {
  const std::uint32_t number = exchange.task;
  if (exchange.on_wire == Seen::kRejected) fail("1 REJECT is final", number, "was delivered after a REJECT");
  if (!wire::has(header.flags(), wire::Flag::More)) exchange.on_wire = Seen::kDelivered;
  if (copies_.contains(token_name(wire::token_of(header), header.boot_id())))
    return fail("13 answers to copies are dropped", number, "was answered with the RESULT of a copy");
  const Attempt* attempt = find(exchange, header.attempt());
  if (attempt == nullptr || attempt->runs == 0)
    return fail("8 RESULT of the live attempt", number, "was delivered and never executed so");
  if (header.worker_session() != attempt->worker_session)
    fail("8 RESULT of the live attempt", number, "was answered by a worker it was not routed to");
  const bool latest =
      std::ranges::none_of(exchange.attempts, [&](const Attempt& other) { return other.number > header.attempt(); });
  if (departure.in_order && !latest) fail("8 RESULT of the live attempt", number, "was answered by one that is over");
  if (number_of(wire::task_id_of(header)) != number)
    fail("9 the answer to this task", number, "was answered with another task's RESULT");
}

void Ledger::on_reject(const wire::Header& header, Exchange& exchange) {
  const std::uint32_t number = exchange.task;
  // A DELIVER that was lost, with its worker: all that is left to say is Maybe.
  if (exchange.on_wire == Seen::kDelivered && header.executed() != wire::Executed::Maybe)
    fail("1 one outcome", number, "was rejected after its DELIVER");
  if (exchange.on_wire == Seen::kRejected && exchange.reason == wire::Reason::Ok &&
      (header.reason() != wire::Reason::NoWorker || exchange.executed != header.executed()))
    fail("1 one outcome", number, "was answered by the broker, and then rejected in other words");
  if (exchange.on_wire == Seen::kRejected && exchange.reason != wire::Reason::Ok &&
      (exchange.reason != header.reason() || exchange.executed != header.executed()))
    fail("1 REJECT is final", number, "was rejected again in other words");
  exchange.on_wire = Seen::kRejected;
  exchange.reason = header.reason();
  exchange.executed = header.executed();
  check_denial(header, exchange);
}

void Ledger::check_denial(const wire::Header& header, const Exchange& exchange) {
  const bool may_run = std::ranges::any_of(exchange.attempts,
                                           [](const Attempt& attempt) { return attempt.runs > 0 || !attempt.refused; });
  if (header.executed() == wire::Executed::No && may_run)
    fail("3 executed=no", exchange.task, "was routed, and its client is told it was not executed");
}

// As final as a REJECT: no worker gets the task any more. One that cannot be said again is followed by a REJECT.
void Ledger::on_own_answer(const wire::Header& header, Exchange& exchange, const Departure& departure) {
  const std::uint32_t number = exchange.task;
  if (exchange.on_wire == Seen::kDelivered && header.executed() != wire::Executed::Maybe)
    fail("1 one outcome", number, "was answered by the broker after a worker's DELIVER");
  if (exchange.on_wire == Seen::kRejected && exchange.reason != wire::Reason::Ok && departure.in_order)
    fail("1 REJECT is final", number, "was answered by the broker after its REJECT");
  if (number_of(wire::task_id_of(header)) != number)
    fail("9 the answer to this task", number, "was answered by the broker as another task");
  exchange.on_wire = Seen::kRejected;
  exchange.reason = wire::Reason::Ok;
  exchange.executed = header.executed();
  check_denial(header, exchange);
}

}  // namespace mcplane::sim
