// Runs by what carries their datagrams. They throw std::runtime_error with one line when it cannot be had. See run.h.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/types.h"
#include "loadgen/run.h"

namespace mcplane::loadgen {

RunResult run_over_udp(const Options& options, Progress& progress, const std::atomic<bool>& stop);
// options.port is set.
RunResult run_over_port(const Options& options, Progress& progress, const std::atomic<bool>& stop);
// options.port and options.reflect are set.
RunResult run_reflecting(const Options& options, Progress& progress, const std::atomic<bool>& stop);

// How long BYEs may take to leave a port at the end.
inline constexpr std::uint64_t kGoodbyeNs = 10 * kNsPerMs;

// For instance ids: differs from run to run.
std::uint64_t fresh_seed();

}  // namespace mcplane::loadgen
