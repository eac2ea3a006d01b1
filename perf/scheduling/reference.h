// The ideal that a scheduler is held against: M/G/k, one line in order of arrival before k servers, each of which takes
// the next task the moment it is free. No network, no broker, and none of the project's scheduling code. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "workload.h"

namespace mcplane::perf {

// From when each task is sent until its service has ended, ns, in the order of `work`.
std::vector<std::uint64_t> ideal_sojourns_ns(std::span<const Work> work, std::uint32_t servers);

// Of M/M/k (Erlang 1917): mean time in the line, in service times; load: of what the servers can do, below 1.
double erlang_c_mean_wait(std::uint32_t servers, double load) noexcept;

}  // namespace mcplane::perf
