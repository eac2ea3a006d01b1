// One run of events, from registration to the last delivery: over kernel UDP sockets, or over a DPDK port of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/event_ledger.h"
#include "loadgen/options.h"
#include "loadgen/run.h"
#include "loadgen/tally.h"

namespace mcplane::loadgen {

struct EventResult {
  RunStatus status = RunStatus::kFinished;
  std::string problem;  // one line, unless kFinished
  bool interrupted = false;
  EventTally tally;
  double busy = 0;                               // as CpuUse::clients
  std::uint64_t registration_ns = 0;             // from the first HELLO until all had subscribed
  std::uint64_t rx_dropped = 0, tx_dropped = 0;  // as of RunResult
};

// options.events is set. `stop` as of run(). Never throws.
EventResult run_events(const Options& options, Progress& progress, const std::atomic<bool>& stop) noexcept;

// As of run.h.
std::string bottleneck_of(const Options& options, const EventResult& result);
std::vector<std::string> missed_objectives(const Options& options, const EventResult& result);
bool objective_met(const EventResult& result) noexcept;

// As of report.h.
std::string table_of(const Options& options, const EventResult& result);
std::string json_of(const Options& options, const EventResult& result, std::string_view command_line);
std::string remarks_on(const Options& options, const EventResult& result);

}  // namespace mcplane::loadgen
