// Network time is what is left of the sender's total; clocks tick in microseconds, so it never goes below zero.
#include "app/ctl/outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/command_line/cli.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

struct Breakdown {
  std::int64_t queue_us, broker_us, worker_us, network_us, total_us;
};

Breakdown break_down(const Timing& timing) {
  const std::int64_t known_us = (timing.queued + timing.broker + timing.worker).count();
  return {timing.queued.count(), timing.broker.count(), timing.worker.count(),
          std::max<std::int64_t>(timing.total.count() - known_us, 0), timing.total.count()};
}

std::string node_name(std::uint32_t node_id) { return fmt::format("{:08x}", node_id); }

std::string timing_table(const Outcome& outcome) {
  const Breakdown time = break_down(outcome.timing);
  std::string table = outcome.worker_node == 0 ? fmt::format("{} from the broker", to_string(outcome.kind))
                                               : fmt::format("{} from worker {}, attempt {}", to_string(outcome.kind),
                                                             node_name(outcome.worker_node), outcome.attempt);
  if (!outcome.degraded.empty())
    table += fmt::format(", degraded={}, executed: {}", outcome.degraded, to_string(outcome.executed));
  table += '\n';
  const std::pair<const char*, std::int64_t> rows[] = {{"queue", time.queue_us},
                                                       {"broker", time.broker_us},
                                                       {"worker", time.worker_us},
                                                       {"network", time.network_us},
                                                       {"total", time.total_us}};
  for (const auto& [name, spent_us] : rows) table += fmt::format("  {:<8}{:>12} us\n", name, spent_us);
  if (outcome.chunks > 1)
    table += fmt::format("{} chunks, {} bytes; the first after {} us\n", outcome.chunks, outcome.received,
                         outcome.timing.first_chunk.count());
  if (!outcome.trace_id.empty()) table += fmt::format("  {:<8}{}\n", "trace", outcome.trace_id);
  return table;
}

// "rejected (no_worker), executed: no, try again after 50 ms".
std::string failure_line(const Outcome& outcome) {
  std::string line(to_string(outcome.kind));
  if (!outcome.reason.empty() && outcome.reason != line) line += " (" + outcome.reason + ")";
  if (!outcome.text.empty()) line += ": " + outcome.text;
  line += fmt::format(", executed: {}", to_string(outcome.executed));
  if (outcome.kind == OutcomeKind::kRejected && outcome.retry_after.count() > 0)
    line += fmt::format(", try again after {} ms", outcome.retry_after.count());
  if (!outcome.trace_id.empty()) line += "; trace " + outcome.trace_id;
  if (outcome.reason == "no_worker") line += "; mcplane-ctl nodes lists the workers and what they offer";
  return line;
}

std::string outcome_json(const Outcome& outcome) {
  const Breakdown time = break_down(outcome.timing);
  const Json worker = outcome.worker_node == 0 ? Json() : Json(node_name(outcome.worker_node));
  const Json json = {{"outcome", to_string(outcome.kind)},
                     {"executed", to_string(outcome.executed)},
                     {"task_id", outcome.task_id},
                     {"trace_id", outcome.trace_id},
                     {"text", outcome.text},
                     {"reason", outcome.reason},
                     {"degraded", outcome.degraded},
                     {"retry_after_ms", outcome.retry_after.count()},
                     {"worker_node", worker},
                     {"attempt", outcome.attempt},
                     {"chunks", outcome.chunks},
                     {"first_chunk_us", outcome.timing.first_chunk.count()},
                     {"timing_us",
                      {{"queue", time.queue_us},
                       {"broker", time.broker_us},
                       {"worker", time.worker_us},
                       {"network", time.network_us},
                       {"total", time.total_us}}}};
  // An answer may be any bytes: what is no UTF-8 is replaced.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

SendReport report_on(const Outcome& outcome, bool json, std::string_view printed) {
  SendReport report;
  report.exit_code = outcome.ok() ? kExitOk : kExitRuntime;
  if (json) report.standard_output = outcome_json(outcome);
  if (!outcome.ok()) {
    if (!printed.empty() && !printed.ends_with('\n')) report.standard_output += '\n';
    report.standard_error = failure(kCtlProgram, failure_line(outcome), kExitRuntime).text + "\n";
  } else if (!json) {
    report.standard_output = outcome.text;
    const std::string_view last = outcome.text.empty() ? printed : outcome.text;
    if (!last.ends_with('\n')) report.standard_output += '\n';
    report.standard_error = timing_table(outcome);
  }
  return report;
}

}  // namespace mcplane::app
