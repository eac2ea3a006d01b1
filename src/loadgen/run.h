// One run of the load generator over kernel UDP sockets, from registration to the last answer. The clients run on the
// calling thread, in-process workers on one of their own.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "loadgen/options.h"
#include "loadgen/tally.h"

namespace mcplane::loadgen {

enum class RunStatus : std::uint8_t { kFinished, kUnreachable, kFailed };

// Shares of one CPU, 0 to 1, while tasks were sent.
struct CpuUse {
  double clients = 0;
  double workers = 0;
};

struct RunResult {
  RunStatus status = RunStatus::kFinished;
  std::string problem;  // one line, unless kFinished
  bool interrupted = false;
  Tally tally;
  CpuUse cpu;
};

// Above this share a thread cannot keep up with what it is given.
inline constexpr double kSaturatedShare = 0.95;

// `stop`: set by any thread, ends the run early; tasks in flight are still awaited. Never throws.
RunResult run(const Options& options, Progress& progress, const std::atomic<bool>& stop) noexcept;

// Open loop only: sends were late because our own thread had no time, so the latencies are ours, not the broker's.
bool was_bottleneck(const Options& options, const RunResult& result) noexcept;
// The run did what it promises: nothing lost, wrong or delivered twice, and something delivered.
bool objective_met(const RunResult& result) noexcept;

}  // namespace mcplane::loadgen
