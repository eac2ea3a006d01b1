// Breakers of single actions of workers: the gates they turn (state/skill_board.h), and what becomes of them with the
// worker's own breaker, which goes before them.
#include <utility>

#include "control/control.h"

namespace mcplane::control {

// An action that is out takes no command: who has acquired a slot looks here before he uses it. But the worker's round
// ends, so that what was under way before counts for neither side.
void Control::turn_skill(Session& session, SkillId skill, BreakerChange change) {
  state::WorkerLine& line = shared_.workers[session.worker];
  const auto bit = static_cast<std::uint16_t>(1U << raw(skill));
  const std::uint16_t out = line.skills_out.load(std::memory_order_relaxed);
  switch (change) {
    case BreakerChange::kNone:
    case BreakerChange::kHeldBack:
      return;
    case BreakerChange::kOpened:
      // What the worker failed lately is this action's.
      breakers_.forget(session.worker);
      line.skills_out.store(static_cast<std::uint16_t>(out | bit), std::memory_order_relaxed);
      return begin_round(session);
    case BreakerChange::kProbing:
      return line.skills->set_gate(skill, line.round(), permits_of(breakers_[{session.worker, skill}]));
    case BreakerChange::kClosed:
      return line.skills_out.store(static_cast<std::uint16_t>(out & ~bit), std::memory_order_relaxed);
  }
}

// Of a worker whose own breaker is closed. Its actions that were half-open in the last round get as many permits as
// they still need in this one.
void Control::begin_round(Session& session) {
  state::WorkerLine& line = shared_.workers[session.worker];
  const auto round = static_cast<state::GateRound>(line.round() + 1);
  for_skills_of(session, [&](SkillId skill) {
    const Breaker& breaker = breakers_[{session.worker, skill}];
    const bool half_open = breaker.state() == BreakerState::kHalfOpen;
    line.skills->set_gate(skill, round, half_open ? permits_of(breaker) : std::uint8_t{0});
  });
  line.admits.store(1U + round, std::memory_order_relaxed);
  set_gate(session, {.round = round});
}

// A worker that is out counts as that alone.
void Control::count_skills(Session& session, bool counted) {
  if (std::exchange(session.skills_counted, counted) == counted) return;
  for_skills_of(session, [&](SkillId skill) {
    const BreakerState state = breakers_[{session.worker, skill}].state();
    const BreakerState before = counted ? BreakerState::kClosed : state;
    pools_.turn(*session.pool, skill, before, counted ? state : BreakerState::kClosed);
  });
}

// What came of their tasks is forgotten: the worker itself is out, is gone, or is new. forced: those as well that
// people hold open or closed.
void Control::let_skills_in(Session& session, bool forced) {
  std::uint16_t out = 0;
  for_skills_of(session, [&](SkillId skill) {
    const BreakerId id{session.worker, skill};
    if (forced || breakers_[id].mode() == BreakerMode::kAuto)
      breakers_.begin(id, Health::kUp, now_ns_);
    else if (breakers_[id].state() != BreakerState::kClosed)
      out = static_cast<std::uint16_t>(out | 1U << raw(skill));
  });
  shared_.workers[session.worker].skills_out.store(out, std::memory_order_relaxed);
}

}  // namespace mcplane::control
