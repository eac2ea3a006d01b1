// What clients and workers say and do; see ledger.h. What a worker says of a task is found by its token.
#include "ledger.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace mcplane::sim {
namespace {

// Between the instant a timer is due and the one it runs at.
constexpr std::uint64_t kTimerSlackNs = 100'000;

bool about_session(const wire::Header& header) noexcept {
  switch (header.type()) {
    case wire::FrameType::Hello:
    case wire::FrameType::Retry:
    case wire::FrameType::Ping:
    case wire::FrameType::Pong:
    case wire::FrameType::Bye:
      return true;
    case wire::FrameType::Ack:
    case wire::FrameType::Reject:
      return header.answers() == wire::FrameType::Hello || header.answers() == wire::FrameType::Bye ||
             header.answers() == wire::FrameType::Ping;
    default:
      return false;
  }
}

}  // namespace

std::uint64_t Traffic::tasks() const noexcept {
  return std::accumulate(of_type.begin(), of_type.end(), std::uint64_t{0}) - keepalive;
}

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

std::uint32_t Ledger::begin(std::uint32_t client, std::uint32_t ttl_ms, const Kind& kind, std::uint64_t now_ns) {
  Task& task = tasks_.emplace_back();
  task.client = client;
  task.ttl_ms = ttl_ms;
  task.deadline_ns = now_ns + ttl_ms * kNsPerMs + wire::kGraceNs;
  task.idempotent = kind.idempotent;
  task.shadow = kind.shadow;
  ++open_;
  return number_of(task);
}

Ledger::Exchange* Ledger::find_by_task(std::uint32_t number, const wire::Header& header) {
  if (number >= tasks_.size()) return nullptr;
  for (std::uint32_t at = tasks_[number].latest; at != kNobody; at = exchanges_[at].earlier)
    if (exchanges_[at].session == header.session() && exchanges_[at].boot_id == header.boot_id())
      return &exchanges_[at];
  return nullptr;
}

Ledger::Exchange* Ledger::find_by_token(TaskToken token, std::uint32_t boot_id) {
  const auto found = by_token_.find(token_name(token, boot_id));
  return found == by_token_.end() ? nullptr : &exchanges_[found->second];
}

Ledger::Attempt* Ledger::find(Exchange& exchange, std::uint8_t attempt) {
  const auto found = std::ranges::find(exchange.attempts, attempt, &Attempt::number);
  return found == exchange.attempts.end() ? nullptr : &*found;
}

void Ledger::count(const wire::Header& header) {
  ++traffic_.of_type[raw(header.type())];
  if (about_session(header)) {
    ++traffic_.keepalive;
    return;
  }
  if (header.type() == wire::FrameType::Ack) ++traffic_.acks;
  if (wire::has(header.flags(), wire::Flag::Retry)) ++traffic_.again;
}

// What clients and workers say.

void Ledger::on_peer_frame(const wire::Header& header) {
  count(header);
  if (header.type() == wire::FrameType::Send) return on_send(header);
  if (header.type() == wire::FrameType::Ack && header.reason() == wire::Reason::Stopped) on_refusal(header);
}

void Ledger::on_send(const wire::Header& header) {
  const std::uint32_t number = number_of(wire::task_id_of(header));
  if (header.fragment_index() != 0) return on_send_part(header, number);
  const auto [known, fresh] =
      by_exchange_.try_emplace(exchange_name(header), static_cast<std::uint32_t>(exchanges_.size()));
  if (header.ttl_ms() > tasks_[number].ttl_ms) fail("6 time only shrinks", number, "was sent with more than it had");
  if (!fresh) {
    if (exchanges_[known->second].task != number)
      return fail("1 an exchange is one task's", number, "took the slot and sequence of another");
    if (!wire::has(header.flags(), wire::Flag::Retry)) fail("1 what is sent again says so", number, "has no flag");
    return;
  }
  Task& task = tasks_[number];
  if (wire::is_shadow(header.flags()) != task.shadow)
    fail("13 shadow and production are apart", number, "was sent as the other kind");
  if (wire::has(header.flags(), wire::Flag::Retry)) fail("1 what is sent again says so", number, "was never sent");
  if (task.latest != kNobody && !task.idempotent)
    fail("3 at most once", number, "was sent as new a second time, and may not run twice");
  Exchange& exchange = exchanges_.emplace_back();
  exchange.task = number;
  exchange.earlier = std::exchange(task.latest, known->second);
  exchange.session = header.session();
  exchange.boot_id = header.boot_id();
}

// Only the worker's GRANT can have asked for it.
void Ledger::on_send_part(const wire::Header& header, std::uint32_t number) {
  const auto known = by_exchange_.find(exchange_name(header));
  if (known == by_exchange_.end() || exchanges_[known->second].task != number)
    return fail("9 parts belong to their task", number, "had a part sent in an exchange that is not its own");
  const Attempt* attempt = find(exchanges_[known->second], header.attempt());
  if (attempt == nullptr || attempt->token != wire::token_of(header))
    fail("9 parts belong to their task", number, "had a part sent for an attempt that there never was");
}

void Ledger::on_refusal(const wire::Header& header) {
  Exchange* exchange = find_by_token(wire::token_of(header), header.boot_id());
  if (exchange == nullptr) return;
  Attempt* attempt = find(*exchange, header.attempt());
  // What it ran before and has told already, a worker will not run any more either.
  if (attempt == nullptr || attempt->runs > 0) return;
  attempt->stopped = true;
  // A CANCEL's answer frees the slot; only a ROUTE's says that the task is free for another.
  attempt->refused = attempt->refused || header.answers() == wire::FrameType::Route;
}

void Ledger::on_arrival(const wire::Header& header, std::uint64_t read_ns) {
  if (header.type() != wire::FrameType::Send) return;
  const auto found = by_exchange_.find(exchange_name(header));
  if (found == by_exchange_.end()) return;
  Exchange& exchange = exchanges_[found->second];
  exchange.expiry_ns = std::max(exchange.expiry_ns, read_ns + header.ttl_ms() * kNsPerMs);
}

void Ledger::on_execution(const client::Assignment& assignment, const client::Session& worker) {
  const std::uint32_t number = number_of(assignment.task_id);
  if (number >= tasks_.size()) return fail("9 a worker ran what nobody sent", number, "is unknown");
  Task& task = tasks_[number];
  if (is_copy(task, assignment.flags)) {
    const auto copy = copies_.find(token_name(assignment.token, worker.boot_id()));
    if (copy == copies_.end()) return fail("8 executed without a ROUTE", number, "was no copy");
    if (++copy->second > 1) fail("3 an attempt runs once", number, "was executed twice as one copy");
    return;
  }
  Exchange* exchange = find_by_token(assignment.token, worker.boot_id());
  Attempt* attempt = exchange != nullptr ? find(*exchange, assignment.attempt) : nullptr;
  if (attempt == nullptr || exchange->task != number)
    return fail("8 executed without a ROUTE", number, "never left the broker so");
  if (++task.executions > 1) {
    ++executed_again_;
    if (!task.idempotent) fail("3 at most once", number, "was executed a second time");
  }
  if (++attempt->runs > 1) fail("3 an attempt runs once", number, "was executed twice for one attempt");
  if (attempt->worker_session != worker.id().value)
    fail("8 executed without a ROUTE", number, "ran at a worker it was not routed to");
  if (attempt->stopped) fail("3 what a worker refused it cannot run", number, "ran, and its worker had said it won't");
  if (task.denied || (exchange->on_wire == Seen::kRejected && exchange->executed == wire::Executed::No))
    fail("3 executed=no", number, "was executed after its client was told that it was not");
  if (assignment.ttl_ms == 0) fail("6 no ROUTE without time", number, "had no time left");
}

bool Ledger::answered_by(const Task& task, const client::Completion& completion) const {
  for (std::uint32_t at = task.latest; at != kNobody; at = exchanges_[at].earlier)
    for (const Attempt& attempt : exchanges_[at].attempts)
      if (attempt.worker_session == completion.worker_session && attempt.number == completion.attempt &&
          attempt.runs > 0)
        return true;
  return false;
}

void Ledger::on_outcome(const client::Completion& completion, std::span<const std::byte> answer, std::uint64_t now_ns) {
  const auto number = static_cast<std::uint32_t>(completion.context);
  Task& task = tasks_[number];
  if (task.ended) return fail("2 one outcome", number, "had a second outcome");
  task.ended = true;
  --open_;
  task.reason = completion.reason;
  task.outcome = completion.delivered ? Seen::kDelivered : Seen::kRejected;
  ++outcomes_[raw(completion.reason)];
  if (now_ns > task.deadline_ns + kTimerSlackNs) fail("1 outcome in time", number, "ended after TTL and grace");
  task.denied = completion.executed == wire::Executed::No;
  if (task.denied && task.executions > 0)
    fail("3 executed=no", number, "was executed, and its client heard it was not");
  if (completion.reason == wire::Reason::Cancelled && !task.cancelled)
    fail("1 cancelled by its client only", number, "ended as cancelled");
  if (!completion.delivered) return;
  ++delivered_;
  const bool own =
      completion.substitute != wire::Substitute::None && completion.substitute != wire::Substitute::Fallback;
  if ((completion.executed == wire::Executed::Yes) == own)
    fail("3 executed=yes", number, "was delivered by a worker, executed not Yes, or by the broker, executed Yes");
  if (!own && !answered_by(task, completion))
    fail("8 RESULT of the live attempt", number, "was answered by a worker that did not run it");
  const bool empty = completion.reason == wire::Reason::TooLarge && completion.payload.empty();
  if (!empty && !std::ranges::equal(completion.payload, answer))
    fail("9 the answer to this task", number, "was delivered with another answer than its worker gave");
}

Ledger::Begun Ledger::begun(std::uint32_t boot_id, bool shadow) const {
  Begun begun;
  for (const Exchange& exchange : exchanges_) {
    if (exchange.boot_id != boot_id || tasks_[exchange.task].shadow != shadow) continue;
    ++begun.sent;
    if (!exchange.attempts.empty()) ++begun.routed;
  }
  return begun;
}

void Ledger::on_client_gone(std::uint32_t client) {
  for (Task& task : tasks_) {
    if (task.client != client || task.ended) continue;
    task.ended = true;
    --open_;
  }
}

void Ledger::sweep(std::uint64_t now_ns) {
  if (open_ == 0) return;
  for (const Task& task : tasks_)
    if (!task.ended && now_ns > task.deadline_ns + kTimerSlackNs)
      fail("1 outcome in time", number_of(task), "has no outcome after TTL and grace");
}

}  // namespace mcplane::sim
