// mcplane-load: the load generator. It runs on threads of its own, over a port on a core; this one shows progress and
// takes signals. INT and TERM end the run early, and what was measured is still reported.
#include <atomic>
#include <string>
#include <thread>

#include "app/load/config.h"
#include "app/load/output.h"
#include "loadgen/event_run.h"
#include "loadgen/live.h"
#include "loadgen/run.h"

namespace {

using mcplane::loadgen::Progress;
using mcplane::loadgen::RunStatus;

// `run` is called with what it has to keep up to date and what ends it early.
template <class Run>
auto run_and_show(Run run) {
  Progress progress;
  std::atomic<bool> stop{false}, finished{false};
  decltype(run(progress, stop)) result;
  mcplane::loadgen::hold_stop_signals();
  std::thread clients([&] {
    result = run(progress, stop);
    finished.store(true, std::memory_order_release);
  });
  mcplane::loadgen::show_progress(progress, finished, stop);
  clients.join();
  return result;
}

std::string joined(int argc, char** argv) {
  std::string line = "mcplane-load";
  for (int i = 1; i < argc; ++i) line += std::string(" ") + argv[i];
  return line;
}

template <class Result>
int exit_code_of(const mcplane::loadgen::Options& options, const Result& result) {
  using namespace mcplane::app;
  switch (result.status) {
    case RunStatus::kUnreachable:
      return kExitBrokerUnreachable;
    case RunStatus::kFailed:
      return kExitRuntime;
    case RunStatus::kFinished:
      break;
  }
  const bool met =
      mcplane::loadgen::objective_met(result) && mcplane::loadgen::missed_objectives(options, result).empty();
  return met ? kExitOk : kExitObjectiveMissed;
}

template <class Result>
int report(const mcplane::app::LoadCommand& command, const Result& result, const std::string& command_line) {
  const int exit_code = exit_code_of(command.options, result);
  if (result.status != RunStatus::kFinished)
    return mcplane::app::end(mcplane::app::failure("mcplane-load", result.problem, exit_code));
  return mcplane::app::write_output(command, result, command_line, exit_code);
}

}  // namespace

int main(int argc, char** argv) {
  const auto command = mcplane::app::parse_load_command(argc, argv);
  if (command.stop) return mcplane::app::end(*command.stop);
  const auto& options = command.options;
  const auto tasks = [&](Progress& progress, const std::atomic<bool>& stop) {
    return mcplane::loadgen::run(options, progress, stop);
  };
  const auto events = [&](Progress& progress, const std::atomic<bool>& stop) {
    return mcplane::loadgen::run_events(options, progress, stop);
  };
  const std::string line = joined(argc, argv);
  return options.events ? report(command, run_and_show(events), line) : report(command, run_and_show(tasks), line);
}
