// One run of the load generator, from registration to the last answer: over kernel UDP sockets, or over a DPDK port of
// its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/options.h"
#include "loadgen/sweep.h"
#include "loadgen/tally.h"

namespace mcplane::loadgen {

enum class RunStatus : std::uint8_t { kFinished, kUnreachable, kFailed };

// Shares of one CPU, 0 to 1, while tasks were sent. On a port one core, which always polls, serves both: `clients` is
// then the share of its time that went to polls that found work.
struct CpuUse {
  double clients = 0;
  double workers = 0;
};

struct RunResult {
  RunStatus status = RunStatus::kFinished;
  std::string problem;  // one line, unless kFinished
  bool interrupted = false;
  // Of a sweep: counters of all its steps; the measured part and `cpu` are those of the knee, or of the first step when
  // not even that held.
  Tally tally;
  CpuUse cpu;
  std::uint64_t registration_ns = 0;  // from the first HELLO until all were registered
  std::optional<Tally> surge;
  std::uint64_t worker_tasks = 0, faulty_worker_tasks = 0;  // given to our own
  std::uint32_t reflected_parts = 0;                        // of a task, of Options::reflect
  std::vector<SweepStep> sweep;
  double knee_per_second = 0;
  std::uint64_t sweep_p99_max_ns = 0;  // what its rates were held to
  // On a port: frames for nobody here, or unsound; frames that the port did not take.
  std::uint64_t rx_dropped = 0, tx_dropped = 0;
  // By its own account, of all tasks that it had during the run; empty: nobody asked it, or it cannot tell.
  std::optional<double> broker_cycles_per_task;
};

// Above this share a thread cannot keep up with what it is given.
inline constexpr double kSaturatedShare = 0.95;

// `stop`: set by any thread, ends the run early; tasks in flight are still awaited. Never throws.
RunResult run(const Options& options, Progress& progress, const std::atomic<bool>& stop) noexcept;

// We had no time to spare or were late ourselves, so rates and latencies are ours, not the broker's: what shows it, in
// words. Empty: we kept up.
std::string bottleneck_of(const Options& options, const RunResult& result);
// Objectives that flags asked for and the run missed, a line each.
std::vector<std::string> missed_objectives(const Options& options, const RunResult& result);
// The run did what it promises: nothing lost, wrong or delivered twice, and something delivered.
bool objective_met(const RunResult& result) noexcept;

}  // namespace mcplane::loadgen
