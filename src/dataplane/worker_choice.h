// Which worker gets a task: the one place that knows. Runs on the shard's core; the workers are shared with the others.
#pragma once

#include <cstdint>

#include "dataplane/shard.h"
#include "state/worker_table.h"

namespace mcplane::dataplane {

enum class Choice : std::uint8_t { kFound, kAllBusy, kNoneLive };

// Takes a slot of the least loaded worker of the route's pools that has one: idle workers first, in turn. Levels of
// load are those of state/load_index.h: exact below 8 tasks outstanding. Cost: independent of how many workers there
// are; the root of each pool's index, one cache line a level of the tree, and the worker's line.
Choice acquire_worker(Shard& shard, RouteEntry& entry, state::WorkerRef& chosen) noexcept;

}  // namespace mcplane::dataplane
