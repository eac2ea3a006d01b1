// mcplane-load: the load generator. It runs on threads of its own, over a port on a core; this one shows progress and
// takes signals. INT and TERM end the run early, and what was measured is still reported.
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "app/load_config.h"
#include "loadgen/live.h"
#include "loadgen/report.h"
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

// One line when it cannot be written; else empty.
std::string write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return "cannot write " + mcplane::app::quote(path) + ": " + std::strerror(errno);
}

// Files first: what cannot be written must not hide what was measured.
int report(const mcplane::app::LoadCommand& command, const RunResult& result, const std::string& command_line,
           int exit_code) {
  using namespace mcplane::loadgen;
  const auto& options = command.options;
  std::string error = write_file(command.hgrm, hgrm_of(result.tally.latency));
  if (std::string other = write_file(command.html, html_of(options, result, command_line)); error.empty())
    error = std::move(other);
  const std::string text = command.json ? json_of(options, result, command_line) + "\n" : table_of(options, result);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);  // remarks follow it, also where both go to one file
  std::fputs(remarks_on(options, result).c_str(), stderr);
  if (error.empty()) return exit_code;
  return mcplane::app::end(mcplane::app::failure("mcplane-load", error, mcplane::app::kExitRuntime));
}

}  // namespace

int main(int argc, char** argv) {
  const auto command = mcplane::app::parse_load_command(argc, argv);
  if (command.stop) return mcplane::app::end(*command.stop);
  const RunResult result = run_and_show(command.options);
  const int exit_code = exit_code_of(command.options, result);
  if (result.status != RunStatus::kFinished)
    return mcplane::app::end(mcplane::app::failure("mcplane-load", result.problem, exit_code));
  return report(command, result, joined(argc, argv), exit_code);
}
