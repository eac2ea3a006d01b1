// Which worker gets a task: the one place that knows. Runs on the shard's core; the workers are shared with the others.
#pragma once

#include <cstdint>

#include "dataplane/shard.h"
#include "state/worker_table.h"

namespace mcplane::dataplane {

enum class Choice : std::uint8_t {
  kFound,
  kAllBusy,
  kOnTrial,  // where something may stand in: none is there but some that take probes, and have enough of them
  kNoneLive,
};

// Whose task it is, for policies that look at it.
struct Asker {
  SessionId client;
  const wire::Header* header = nullptr;  // of its SEND
};

// Takes a slot of a worker of the route's pools, by the route's policy (worker_policies.h); where that finds none, and
// by default, of the least loaded one: idle workers first, in turn. Levels of load are those of state/load_index.h:
// exact below 8 tasks outstanding. Cost: independent of how many workers there are; the root of each pool's index, one
// cache line a level of the tree, and the worker's line.
Choice acquire_worker(Shard& shard, RouteEntry& entry, const Asker& asker, state::WorkerRef& chosen) noexcept;

// The same of the workers that stand in for those, the least loaded one.
Choice acquire_stand_in(Shard& shard, RouteEntry& entry, state::WorkerRef& chosen) noexcept;

// Gives back what one of those took; what its task came to, if there was one, was told before (worker_outcome.h).
inline void return_slot(Shard& shard, const state::WorkerRef& chosen) noexcept {
  const state::WorkerLine& line = shard.shared.workers[chosen.id];
  if (line.is_out(chosen.skill)) [[unlikely]]
    line.skills->leave(chosen.skill, chosen.round, true);
  shard.shared.workers.release(chosen.id, chosen.round);
}

}  // namespace mcplane::dataplane
