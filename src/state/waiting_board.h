// How many tasks of production wait at one core, and for workers of which pool: a place for each selector that the core
// knows, written as tasks join and leave its line. Control adds them up, for people and for autoscaling.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/large_array.h"

namespace mcplane::state {

// Relaxed: figures, of which nothing hangs on one. A reader may see the tasks of one pool beside the name of another
// for a moment, after a place became another selector's.
struct WaitingAt {
  // Written by: the core.
  std::atomic<std::uint64_t> pool{0};  // Pool::key of the first that serves the selector; 0: none does
  std::atomic<std::uint32_t> tasks{0};
};

using WaitingBoard = LargeArray<WaitingAt>;

}  // namespace mcplane::state
