// How many tasks more than it has slots a worker is given, so that the next one is there when a slot falls free. A pure
// function; control applies it to the workers' bounds (leases.cc).
#pragma once

#include <cstdint>

#include "state/worker_pace.h"

namespace mcplane::control {

// Round trip over service time, for each slot, rounded up: what is on its way then lasts for as long as the way takes.
// 0 when slots stand idle for less than an eighth of a service time: a task that waits at a worker can go to no other,
// which costs more than that; and while nothing was measured. At most max_share × slots, and what the worker has room
// for.
std::uint32_t look_ahead(std::uint16_t slots, const state::WorkerPace& pace, double max_share) noexcept;

}  // namespace mcplane::control
