// From health probes to breakers: whom to ask (workers/probes.h), asking (workers/prober.h), and what the answers turn.
#include <utility>

#include "base/check.h"
#include "control/control.h"

namespace mcplane::control {

// Before cores know that the worker is up.
void Control::begin_probing(Session& session) {
  if (breakers_[session.worker].health() == Health::kUp) return;
  probes_.begin(session.worker, now_ns_);
  turn(session, session.worker, BreakerState::kClosed, BreakerChange::kOpened);
}

void Control::run_probes() {
  if (options_.prober == nullptr) return;
  answers_.clear();
  options_.prober->take_answers(answers_);
  for (ProbeAnswer& answer : answers_) on_probe_answer(std::move(answer));
  for (std::size_t asked = 0; asked < kProbesPerPoll; ++asked) {
    const auto due = probes_.take_due(now_ns_);
    if (!due) return;
    const Session* session = find_up(due->worker);
    CHECK(session != nullptr);
    if (!options_.prober->try_ask({.number = due->number,
                                   .session = session->id,
                                   .ip = session->path.peer.ip,
                                   .probe = session->hello.probe,
                                   .timeout_ns = probes_.settings().timeout_ns}))
      probes_.put_off(due->worker, now_ns_);
  }
}

// Late ones are of no interest: that session has ended, or its question was given up.
void Control::on_probe_answer(ProbeAnswer answer) {
  Session* session = registry_.find(answer.session);
  if (session == nullptr || session->phase != Phase::kUp || !session->is_worker()) return;
  if (!probes_.on_answer(session->worker, answer.number, answer.good, std::move(answer.said), now_ns_)) return;
  const ProbedHealth& known = *probes_.find(session->worker);
  if (known.health == Health::kAwaited) return;
  if (known.health != breakers_[session->worker].health())
    log_.info(now_ns_, "health probe {} of worker '{}' {:08x}: {}, {}", to_string(session->hello.probe),
              session->hello.name, session->id.value, name_of(known.health), known.said);
  const BreakerId id = session->worker;
  const BreakerState before = breakers_[id].state();
  turn(*session, id, before, breakers_.on_health(id, known.health, now_ns_, may_open(*session, id)));
}

}  // namespace mcplane::control
