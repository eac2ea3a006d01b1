// The policies that look for a worker by something else than its load. Each is O(1) in the number of workers, and gives
// up after a few looks: the least loaded worker then takes the task. Runs on the shard's core.
#pragma once

#include "dataplane/worker_choice.h"

namespace mcplane::dataplane {

// Slots that other cores may take from under one search before it gives up.
inline constexpr std::uint32_t kRacesMax = 8;

inline bool try_take(Shard& shard, WorkerId worker, state::WorkerRef& chosen) noexcept {
  chosen.id = worker;
  chosen.session = shard.shared.workers.try_acquire(worker, chosen.round);
  return static_cast<bool>(chosen.session);
}

// By entry.rule.policy, which is not kLeastOutstanding. True: a slot is taken.
bool acquire_by_policy(Shard& shard, RouteEntry& entry, const Asker& asker, state::WorkerRef& chosen) noexcept;

}  // namespace mcplane::dataplane
