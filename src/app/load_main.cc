// mcplane-load: the load generator. It runs on threads of its own, over a port on a core; this one shows progress and
// takes signals. INT and TERM end the run early, and what was measured is still reported.
#include <atomic>
#include <string>
#include <thread>

#include "app/load_config.h"
#include "app/load_output.h"
#include "loadgen/live.h"
#include "loadgen/run.h"

namespace {

using mcplane::loadgen::RunResult;
using mcplane::loadgen::RunStatus;

RunResult run_and_show(const mcplane::loadgen::Options& options) {
  mcplane::loadgen::Progress progress;
  std::atomic<bool> stop{false}, finished{false};
  RunResult result;
  mcplane::loadgen::hold_stop_signals();
  std::thread clients([&] {
    result = mcplane::loadgen::run(options, progress, stop);
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

int exit_code_of(const mcplane::loadgen::Options& options, const RunResult& result) {
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

}  // namespace

int main(int argc, char** argv) {
  const auto command = mcplane::app::parse_load_command(argc, argv);
  if (command.stop) return mcplane::app::end(*command.stop);
  const RunResult result = run_and_show(command.options);
  const int exit_code = exit_code_of(command.options, result);
  if (result.status != RunStatus::kFinished)
    return mcplane::app::end(mcplane::app::failure("mcplane-load", result.problem, exit_code));
  return mcplane::app::write_output(command, result, joined(argc, argv), exit_code);
}
