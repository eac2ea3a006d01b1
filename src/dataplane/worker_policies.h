// The policies that look for a worker by something else than its load. Each is O(1) in the number of workers, and gives
// up after a few looks: the least loaded worker then takes the task. Runs on the shard's core.
#pragma once

#include "dataplane/worker_choice.h"

namespace mcplane::dataplane {

// Slots that other cores may take from under one search before it gives up.
inline constexpr std::uint32_t kRacesMax = 8;

// Of a worker that is out for that action, and whose slot was taken: whether a permit was left; else it has its slot
// back.
bool take_permit(Shard& shard, WorkerId worker, SkillId skill, state::WorkerRef& chosen) noexcept;

// A slot of the worker, for that action of its; not while that is out, but for the few that have its permits.
inline bool try_take(Shard& shard, WorkerId worker, SkillId skill, state::WorkerRef& chosen) noexcept {
  chosen.id = worker;
  chosen.skill = skill;
  chosen.session = shard.shared.workers.try_acquire(worker, chosen.round);
  if (!chosen.session) return false;
  // Looked at in the round that the slot is of: control tells of an action that is out before that round begins.
  return !shard.shared.workers[worker].is_out(skill) || take_permit(shard, worker, skill, chosen);
}

// By entry.rule.policy, which is not kLeastOutstanding. True: a slot is taken.
bool acquire_by_policy(Shard& shard, RouteEntry& entry, const Asker& asker, state::WorkerRef& chosen) noexcept;

}  // namespace mcplane::dataplane
