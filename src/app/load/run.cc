// See run.h.
#include "app/load/run.h"

#include <atomic>
#include <cstdio>
#include <optional>
#include <thread>

#include "app/command_line/admin_socket.h"
#include "app/load/broker_cost.h"
#include "app/load/output.h"
#include "loadgen/event_run.h"
#include "loadgen/live.h"
#include "loadgen/run.h"

namespace mcplane::app {
namespace {

using loadgen::Progress;
using loadgen::RunStatus;

// `run` is called with what it has to keep up to date and what ends it early.
template <class Run>
auto run_and_show(Run run) {
  Progress progress;
  std::atomic<bool> stop{false}, finished{false};
  decltype(run(progress, stop)) result;
  loadgen::hold_stop_signals();
  std::thread clients([&] {
    result = run(progress, stop);
    finished.store(true, std::memory_order_release);
  });
  loadgen::show_progress(progress, finished, stop);
  clients.join();
  return result;
}

template <class Result>
int exit_code_of(const loadgen::Options& options, const Result& result) {
  switch (result.status) {
    case RunStatus::kUnreachable:
      return kExitBrokerUnreachable;
    case RunStatus::kFailed:
      return kExitRuntime;
    case RunStatus::kFinished:
      break;
  }
  const bool met = loadgen::objective_met(result) && loadgen::missed_objectives(options, result).empty();
  return met ? kExitOk : kExitObjectiveMissed;
}

template <class Result>
int report(const LoadCommand& command, const Result& result, const std::string& command_line) {
  const int exit_code = exit_code_of(command.options, result);
  if (result.status != RunStatus::kFinished) return end(failure("mcplane-load", result.problem, exit_code));
  return write_output(command, result, command_line, exit_code);
}

int run_tasks(const LoadCommand& command, const std::string& command_line) {
  std::optional<BrokerAccount> before, after;
  if (!command.admin.empty()) {
    before = ask_broker(command.admin);
    if (!before) return end(admin_unreachable("mcplane-load", command.admin));
  }
  auto result = run_and_show(
      [&](Progress& progress, const std::atomic<bool>& stop) { return loadgen::run(command.options, progress, stop); });
  if (before) after = ask_broker(command.admin);
  if (after) result.broker_cycles_per_task = cycles_per_task(*before, *after);
  if (before && !result.broker_cycles_per_task && result.status == RunStatus::kFinished)
    std::fputs("the broker does not say what tasks cost it: it had none, ended, or was started anew\n", stderr);
  return report(command, result, command_line);
}

int run_events(const LoadCommand& command, const std::string& command_line) {
  const auto result = run_and_show([&](Progress& progress, const std::atomic<bool>& stop) {
    return loadgen::run_events(command.options, progress, stop);
  });
  return report(command, result, command_line);
}

}  // namespace

int run_load(const LoadCommand& command, const std::string& command_line) {
  return command.options.events ? run_events(command, command_line) : run_tasks(command, command_line);
}

}  // namespace mcplane::app
