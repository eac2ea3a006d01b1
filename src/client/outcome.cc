// Only a frame of the broker can say that a task was not executed; whatever is unclear says kMaybe.
#include "client/outcome.h"

#include <array>
#include <chrono>

#include "wire/payload.h"

namespace mcplane {

std::string_view to_string(OutcomeKind kind) noexcept {
  constexpr std::array<std::string_view, 8> kWords = {"result",           "worker_error",   "rejected",
                                                      "expired_unrouted", "expired_routed", "worker_lost",
                                                      "broker_lost",      "cancelled"};
  const auto index = static_cast<std::size_t>(kind);
  return index < kWords.size() ? kWords[index] : "unknown";
}

std::string_view to_string(Executed executed) noexcept {
  constexpr std::array<std::string_view, 3> kWords = {"no", "yes", "maybe"};
  const auto index = static_cast<std::size_t>(executed);
  return index < kWords.size() ? kWords[index] : "unknown";
}

namespace client {

namespace {

Executed executed_of(const Completion& completion) noexcept {
  const bool by_worker =
      completion.substitute == wire::Substitute::None || completion.substitute == wire::Substitute::Fallback;
  if (completion.delivered && by_worker) return Executed::kYes;
  return completion.executed == wire::Executed::No ? Executed::kNo : Executed::kMaybe;
}

OutcomeKind kind_of(const Completion& completion) noexcept {
  if (completion.delivered)
    return completion.reason == wire::Reason::Ok ? OutcomeKind::kResult : OutcomeKind::kWorkerError;
  if (completion.broker_lost) return OutcomeKind::kBrokerLost;
  const bool not_executed = completion.executed == wire::Executed::No;
  switch (completion.reason) {
    case wire::Reason::Expired:
      return not_executed ? OutcomeKind::kExpiredUnrouted : OutcomeKind::kExpiredRouted;
    case wire::Reason::WorkerLost:
      return not_executed ? OutcomeKind::kRejected : OutcomeKind::kWorkerLost;
    case wire::Reason::Cancelled:
      return OutcomeKind::kCancelled;
    default:
      return not_executed ? OutcomeKind::kRejected : OutcomeKind::kBrokerLost;
  }
}

void read_text(const Completion& completion, Outcome& outcome) {
  if (completion.payload.empty()) return;
  if (const auto text = wire::read_answer(completion.payload)) {
    outcome.text = *text;
    return;
  }
  outcome.kind = OutcomeKind::kWorkerError;
  outcome.reason = reason_word(wire::Reason::Malformed);
}

}  // namespace

Outcome outcome_of(const Completion& completion, std::string task_id, std::uint64_t submitted_ns,
                   std::uint64_t now_ns) {
  Outcome outcome;
  outcome.kind = kind_of(completion);
  outcome.executed = executed_of(completion);
  outcome.degraded = wire::kSubstituteNames[raw(completion.substitute)];
  outcome.task_id = std::move(task_id);
  if (completion.broker_lost)
    outcome.reason = "broker_lost";
  else if (outcome.kind != OutcomeKind::kResult)
    outcome.reason = reason_word(completion.reason);
  if (outcome.kind == OutcomeKind::kRejected) {
    outcome.retry_after = std::chrono::milliseconds(completion.retry_after_ms);
    outcome.slots = completion.slots;
    outcome.free_slots = completion.free_slots;
  }
  outcome.worker_node = completion.worker_session;
  outcome.attempt = completion.attempt;
  outcome.timing = {.queued = std::chrono::microseconds(completion.queued_us),
                    .broker = std::chrono::microseconds(completion.broker_us),
                    .worker = std::chrono::microseconds(completion.worker_us),
                    .total = std::chrono::microseconds((now_ns - submitted_ns) / kNsPerUs)};
  if (completion.delivered) read_text(completion, outcome);
  return outcome;
}

}  // namespace client
}  // namespace mcplane
