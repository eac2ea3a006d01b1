// One run of the load generator, from registration to the last answer: over kernel UDP sockets, or over a DPDK port of
// its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "loadgen/options.h"
#include "loadgen/tally.h"

namespace mcplane::loadgen {

enum class RunStatus : std::uint8_t { kFinished, kUnreachable, kFailed };

// Shares of one CPU, 0 to 1, while tasks were sent. On a port one core, which always polls, serves both: `clients` is
// then the share of its polls that found work.
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
  // On a port: frames for nobody here, or unsound; frames that the port did not take.
  std::uint64_t rx_dropped = 0, tx_dropped = 0;
};

// Above this share a thread cannot keep up with what it is given.
inline constexpr double kSaturatedShare = 0.95;

// `stop`: set by any thread, ends the run early; tasks in flight are still awaited. Never throws.
RunResult run(const Options& options, Progress& progress, const std::atomic<bool>& stop) noexcept;

// We had no time to spare, so rates and latencies are ours, not the broker's. Over sockets only an open loop can tell:
// its sends were late.
bool was_bottleneck(const Options& options, const RunResult& result) noexcept;
// The run did what it promises: nothing lost, wrong or delivered twice, and something delivered.
bool objective_met(const RunResult& result) noexcept;

}  // namespace mcplane::loadgen
