// See run.h.
#include "loadgen/run.h"

#include <exception>
#include <random>
#include <utility>

#include "loadgen/carriers.h"
#include "loadgen/run_steps.h"

namespace mcplane::loadgen {

std::uint64_t fresh_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

RunResult failed_run(std::string problem) {
  RunResult result;
  result.status = RunStatus::kFailed;
  result.problem = std::move(problem);
  return result;
}

RunResult run(const Options& options, Progress& progress, const std::atomic<bool>& stop) noexcept {
  try {
    return options.port ? run_over_port(options, progress, stop) : run_over_udp(options, progress, stop);
  } catch (const std::exception& error) {
    return failed_run(error.what());
  }
}

bool was_bottleneck(const Options& options, const RunResult& result) noexcept {
  if (options.port) return result.cpu.clients >= kSaturatedShare;
  return options.open_loop() && result.tally.late > 0 && result.cpu.clients > kSaturatedShare;
}

bool objective_met(const RunResult& result) noexcept {
  const Tally& tally = result.tally;
  return tally.lost() == 0 && tally.mismatched == 0 && tally.duplicates == 0 && tally.delivered() > 0;
}

}  // namespace mcplane::loadgen
