// Breakers, and the gates they turn. A gate shuts with one store that every core reads before it takes a slot; it
// opens, to few tasks or to all, by one core, in the word the slots are taken from (state/worker_table.h).
#include <fmt/format.h>

#include <algorithm>

#include "base/planted_bug.h"
#include "control/control.h"

namespace mcplane::control {
namespace {

std::uint32_t slow_us_of(const BreakerSettings& settings) noexcept {
  const bool any = settings.enabled && settings.slow_ns > 0;
  const std::uint64_t slow_us = (settings.slow_ns + kNsPerUs - 1) / kNsPerUs;
  return any ? static_cast<std::uint32_t>(std::min<std::uint64_t>(slow_us, state::Shared::kNeverSlowUs))
             : state::Shared::kNeverSlowUs;
}

}  // namespace

void Control::hear_outcomes() {
  for (auto& shard : shared_.shards) shard->outcomes.take_told([this](WorkerId worker) { hear(worker); });
  if (now_ns_ < breakers_.next_due_ns()) return;
  // Polled, none of them closes.
  for (const BreakerId& id : breakers_.not_closed()) {
    Session* session = find_up(id.worker);
    if (session == nullptr) continue;
    const BreakerState before = breakers_[id].state();
    turn(*session, id, before, breakers_.poll(id, now_ns_, probes_run(id)));
  }
  breakers_.find_next_due();
}

Session* Control::find_up(WorkerId worker) {
  Session* session = registry_.find(shared_.workers[worker].owner());
  return session != nullptr && session->phase == Phase::kUp ? session : nullptr;
}

bool Control::probes_run(const BreakerId& id) const noexcept {
  if (id.skill) return shared_.workers[id.worker].skills->probes_run(*id.skill);
  const state::WorkerLoad load{shared_.workers[id.worker].load.load(std::memory_order_relaxed)};
  return load.outstanding() > 0 || load.permits() > 0;
}

// Its actions first: what one of them failed is not held against the others. While none of its tasks is let through
// freely, they have no say of their own.
void Control::hear(WorkerId worker) {
  Session* session = find_up(worker);
  if (session == nullptr || !breakers_.settings.enabled) return;
  const auto hear_one = [&](const BreakerId& id) {
    const BreakerState before = breakers_[id].state();
    turn(*session, id, before, breakers_.hear(id, now_ns_, may_open(*session, id)));
  };
  if (breakers_.settings.per_action && breakers_[worker].state() == BreakerState::kClosed)
    for_skills_of(*session, [&](SkillId skill) {
      hear_one({worker, skill});
      if (breakers_[{worker, skill}].held_back()) breakers_.forget(worker);
    });
  hear_one(worker);
}

void Control::hear_all() {
  for (const std::uint32_t index : registry_.live())
    if (registry_.at(index).is_worker()) hear(registry_.at(index).worker);
}

// Workers may have left meanwhile: then more than that share are out, and no other follows.
bool Control::may_open(const Session& session, const BreakerId& id) const noexcept {
  const Pool& pool = *session.pool;
  const std::uint32_t out = id.skill ? pool.skills[raw(*id.skill)].out : pool.whole.out;
  return out + 1 <= breakers_.settings.ejected_share_max * static_cast<double>(pool.up.size());
}

void Control::turn(Session& session, const BreakerId& id, BreakerState before, BreakerChange change) {
  if (change == BreakerChange::kNone) return;
  const Breaker& breaker = breakers_[id];
  if (!id.skill || session.skills_counted) pools_.turn(*session.pool, id.skill, before, breaker.state());
  log_turn(session, id, change);
  if (id.skill)
    turn_skill(session, *id.skill, change);
  else
    turn_gate(session, change);
}

void Control::log_turn(const Session& session, const BreakerId& id, BreakerChange change) {
  const Breaker& breaker = breakers_[id];
  auto who = fmt::format("'{}' {:08x}", session.hello.name, session.id.value);
  if (id.skill) who += fmt::format(" for action '{}'", session.hello.actions[raw(*id.skill)]);
  switch (change) {
    case BreakerChange::kNone:
      return;
    case BreakerChange::kHeldBack:
      return log_.warning(now_ns_, "breaker of worker {} stays closed: at most {:.0f} % of its pool may be out", who,
                          100 * breakers_.settings.ejected_share_max);
    case BreakerChange::kOpened:
      if (breaker.reason() == BreakerReason::kAwaited)
        return log_.info(now_ns_, "worker {} has no tasks before its health probe succeeds: {}", who,
                         to_string(session.hello.probe));
      return log_.warning(now_ns_, "breaker of worker {} opens: {}{}", who, name_of(breaker.reason()),
                          breaker.due_ns() == Breaker::kNever
                              ? std::string()
                              : fmt::format(", for {} ms", (breaker.due_ns() - now_ns_) / kNsPerMs));
    case BreakerChange::kProbing:
      return log_.info(now_ns_, "breaker of worker {} half-open: {} probes", who, permits_of(breaker));
    case BreakerChange::kClosed:
      return log_.info(now_ns_, "breaker of worker {} closes", who);
  }
}

std::uint8_t Control::permits_of(const Breaker& breaker) const noexcept {
  return static_cast<std::uint8_t>(
      std::min<std::uint32_t>(breaker.permits(breakers_.settings), state::Gate::kPermitsMax));
}

void Control::turn_gate(Session& session, BreakerChange change) {
  state::WorkerLine& line = shared_.workers[session.worker];
  switch (change) {
    case BreakerChange::kNone:
    case BreakerChange::kHeldBack:
      return;
    case BreakerChange::kOpened:
      count_skills(session, false);
      let_skills_in(session, false);
      // Relaxed: nothing is published through it; a core that misses it routes what it was about to route.
      if (!planted(PlantedBug::kRouteToOpen))
        line.admits.store(1U + static_cast<state::GateRound>(line.round() + 1), std::memory_order_relaxed);
      return refresh_worker(session);
    case BreakerChange::kProbing:
      return set_gate(session,
                      {.round = line.round(), .metered = true, .permits = permits_of(breakers_[session.worker])});
    case BreakerChange::kClosed:
      count_skills(session, true);
      session.up_at_ns = now_ns_;
      keep_pace(session);
      return set_gate(session, {.round = line.round()});
  }
}

// One core tells all, as in refresh_worker().
void Control::set_gate(const Session& session, const state::Gate& gate) {
  state::Command command{};
  command.kind = state::CommandKind::kSetGate;
  command.record.worker = session.worker;
  command.gate = gate;
  queue(session.owner).push(command);
}

// Before it is neither in the pool nor up any more.
void Control::retire(Session& session) {
  count_skills(session, false);
  let_skills_in(session, true);
  pools_.turn(*session.pool, {}, breakers_[session.worker].state(), BreakerState::kClosed);
  breakers_.begin(session.worker, Health::kUp, now_ns_);
  probes_.end(session.worker);
  pools_.retire(*session.pool, session.worker);
}

void Control::set_breaker(const BreakerSettings& settings) {
  breakers_.settings = settings;
  shared_.slow_us.store(slow_us_of(settings), std::memory_order_relaxed);
  const std::vector<BreakerId> out(breakers_.not_closed().begin(), breakers_.not_closed().end());
  for (const BreakerId& id : out) {
    Session* session = find_up(id.worker);
    const Breaker& breaker = breakers_[id];
    const bool stays = settings.enabled && (settings.per_action || !id.skill);
    if (stays || breaker.mode() == BreakerMode::kForcedOpen || breaker.health() != Health::kUp) continue;
    if (session == nullptr) continue;
    const BreakerState before = breaker.state();
    turn(*session, id, before, breakers_.force(id, BreakerMode::kForcedClosed, now_ns_, true));
    breakers_.force(id, BreakerMode::kAuto, now_ns_, true);
  }
}

std::string Control::force_breaker(SessionId worker, BreakerMode mode, std::string_view action) {
  Session* session = registry_.find(worker);
  if (session == nullptr || session->phase != Phase::kUp || !session->is_worker())
    return fmt::format("no worker that takes tasks has the id {:08x}", worker.value);
  BreakerId id = session->worker;
  if (!action.empty()) {
    const auto& actions = session->hello.actions;
    const auto found = std::ranges::find(actions, action);
    if (found == actions.end()) return fmt::format("the worker has no action '{}'", action);
    // Of one that has no other, it is the worker's own.
    if (actions.size() > 1) id.skill = static_cast<SkillId>(found - actions.begin());
    if (id.skill && breakers_[session->worker].state() != BreakerState::kClosed)
      return "the worker's own breaker is not closed: all its actions are out";
  }
  const BreakerState before = breakers_[id].state();
  log_.info(now_ns_, "breaker of worker '{}' {:08x}{} set to {}", session->hello.name, session->id.value,
            id.skill ? fmt::format(" for action '{}'", action) : "", name_of(mode));
  turn(*session, id, before, breakers_.force(id, mode, now_ns_, may_open(*session, id)));
  return {};
}

}  // namespace mcplane::control
