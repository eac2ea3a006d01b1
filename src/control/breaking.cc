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
  for (const WorkerId worker : breakers_.not_closed()) {
    Session* session = find_up(worker);
    if (session == nullptr) continue;
    const BreakerState before = breakers_[worker].state();
    const state::WorkerLoad load{shared_.workers[worker].load.load(std::memory_order_relaxed)};
    turn_gate(*session, before, breakers_.poll(worker, now_ns_, load.outstanding() > 0 || load.permits() > 0));
  }
  breakers_.find_next_due();
}

Session* Control::find_up(WorkerId worker) {
  Session* session = registry_.find(shared_.workers[worker].owner());
  return session != nullptr && session->phase == Phase::kUp ? session : nullptr;
}

void Control::hear(WorkerId worker) {
  Session* session = find_up(worker);
  if (session == nullptr || !breakers_.settings.enabled) return;
  const BreakerState before = breakers_[worker].state();
  turn_gate(*session, before, breakers_.hear(worker, now_ns_, may_open(*session)));
}

void Control::hear_all() {
  for (const std::uint32_t index : registry_.live())
    if (registry_.at(index).is_worker()) hear(registry_.at(index).worker);
}

// Workers may have left meanwhile: then more than that share are out, and no other follows.
bool Control::may_open(const Session& session) const noexcept {
  const Pool& pool = *session.pool;
  return pool.out + 1 <= breakers_.settings.ejected_share_max * static_cast<double>(pool.up.size());
}

void Control::turn_gate(Session& session, BreakerState before, BreakerChange change) {
  if (change == BreakerChange::kNone) return;
  const Breaker& breaker = breakers_[session.worker];
  pools_.turn(*session.pool, before, breaker.state());
  state::WorkerLine& line = shared_.workers[session.worker];
  const auto round = static_cast<state::GateRound>(line.admits.load(std::memory_order_relaxed) - 1);
  const auto who = fmt::format("'{}' {:08x}", session.hello.name, session.id.value);
  switch (change) {
    case BreakerChange::kNone:
      return;
    case BreakerChange::kHeldBack:
      return log_.warning(now_ns_, "breaker of worker {} stays closed: at most {:.0f} % of its pool may be out", who,
                          100 * breakers_.settings.ejected_share_max);
    case BreakerChange::kOpened:
      // Relaxed: nothing is published through it; a core that misses it routes what it was about to route.
      if (!planted(PlantedBug::kRouteToOpen))
        line.admits.store(1U + static_cast<state::GateRound>(round + 1), std::memory_order_relaxed);
      refresh_worker(session);
      if (breaker.reason() == BreakerReason::kAwaited)
        return log_.info(now_ns_, "worker {} has no tasks before its health probe succeeds: {}", who,
                         to_string(session.hello.probe));
      return log_.warning(now_ns_, "breaker of worker {} opens: {}{}", who, name_of(breaker.reason()),
                          breaker.due_ns() == Breaker::kNever
                              ? std::string()
                              : fmt::format(", for {} ms", (breaker.due_ns() - now_ns_) / kNsPerMs));
    case BreakerChange::kProbing: {
      const auto permits = std::min<std::uint32_t>(breaker.permits(breakers_.settings), state::Gate::kPermitsMax);
      set_gate(session, {.round = round, .metered = true, .permits = static_cast<std::uint8_t>(permits)});
      return log_.info(now_ns_, "breaker of worker {} half-open: {} probes", who, permits);
    }
    case BreakerChange::kClosed:
      session.up_at_ns = now_ns_;
      keep_pace(session);
      set_gate(session, {.round = round});
      return log_.info(now_ns_, "breaker of worker {} closes", who);
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
  pools_.turn(*session.pool, breakers_[session.worker].state(), BreakerState::kClosed);
  breakers_.begin(session.worker, Health::kUp, now_ns_);
  probes_.end(session.worker);
  pools_.retire(*session.pool, session.worker);
}

void Control::set_breaker(const BreakerSettings& settings) {
  breakers_.settings = settings;
  shared_.slow_us.store(slow_us_of(settings), std::memory_order_relaxed);
  if (settings.enabled) return;
  const std::vector<WorkerId> workers(breakers_.not_closed().begin(), breakers_.not_closed().end());
  for (const WorkerId worker : workers) {
    Session* session = find_up(worker);
    const Breaker& breaker = breakers_[worker];
    if (session == nullptr || breaker.mode() == BreakerMode::kForcedOpen || breaker.health() != Health::kUp) continue;
    const BreakerState before = breaker.state();
    turn_gate(*session, before, breakers_.force(worker, BreakerMode::kForcedClosed, now_ns_, true));
    breakers_.force(worker, BreakerMode::kAuto, now_ns_, true);
  }
}

bool Control::force_breaker(SessionId worker, BreakerMode mode) {
  Session* session = registry_.find(worker);
  if (session == nullptr || session->phase != Phase::kUp || !session->is_worker()) return false;
  const BreakerState before = breakers_[session->worker].state();
  log_.info(now_ns_, "breaker of worker '{}' {:08x} set to {}", session->hello.name, session->id.value, name_of(mode));
  turn_gate(*session, before, breakers_.force(session->worker, mode, now_ns_, may_open(*session)));
  return true;
}

}  // namespace mcplane::control
