// The time-stamp counter: constant rate, the same on every CPU of a machine. About 20 cycles a reading, not ordered
// with the instructions around it, so a single short interval is off by as much.
#pragma once

#include <x86intrin.h>

#include <cstdint>

namespace mcplane {

inline std::uint64_t tsc() noexcept { return __rdtsc(); }

}  // namespace mcplane
