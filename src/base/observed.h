// What the dataplane does for those who operate it, and would do without otherwise: books by action, times, traces,
// captures, and what a task asked for. perf/instructions has a copy of the code of its own, compiled with
// MCPLANE_UNOBSERVED, that leaves it out: what it costs is then a difference of two counts. Everywhere else observed()
// is true, and no instruction.
#pragma once

namespace mcplane {

#if defined(MCPLANE_UNOBSERVED)
constexpr bool observed() noexcept { return false; }
#else
constexpr bool observed() noexcept { return true; }
#endif

}  // namespace mcplane
