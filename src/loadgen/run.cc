// See run.h.
#include "loadgen/run.h"

#include <fmt/format.h>

#include <exception>
#include <random>
#include <utility>

#include "loadgen/carriers.h"
#include "loadgen/run_steps.h"

namespace mcplane::loadgen {
namespace {

// Of late sends.
constexpr double kLateShare = 0.01;

bool is_sound(const Tally& tally) noexcept {
  return tally.lost() == 0 && tally.mismatched == 0 && tally.duplicates == 0 &&
         (!tally.chunks || tally.chunks->sound());
}

double us_of(std::uint64_t ns) noexcept { return static_cast<double>(ns) / static_cast<double>(kNsPerUs); }

}  // namespace

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

std::string too_few(const Options& options, std::size_t registered, std::size_t wanted, std::string_view what,
                    std::string_view limited) {
  return fmt::format("{} registered {} of {} {}, and in {} s no more: ask for fewer, or raise its --max-{}",
                     wire::to_string(options.broker), registered, wanted, what, kMoreTimeoutNs / kNsPerSecond, limited);
}

RunResult run(const Options& options, Progress& progress, const std::atomic<bool>& stop) noexcept {
  try {
    return options.port ? run_over_port(options, progress, stop) : run_over_udp(options, progress, stop);
  } catch (const std::exception& error) {
    return failed_run(error.what());
  }
}

std::string bottleneck_of(const Options& options, const RunResult& result) {
  const Tally& tally = result.tally;
  if (options.port && result.cpu.clients >= kSaturatedShare)
    return fmt::format("{:.0f} % of its core's time went to polls that found work", 100 * result.cpu.clients);
  if (!options.port && result.cpu.clients >= kSaturatedShare)
    return fmt::format("its clients' thread used {:.0f} % of a CPU", 100 * result.cpu.clients);
  if (!options.port && result.cpu.workers >= kSaturatedShare)
    return fmt::format("its workers' thread used {:.0f} % of a CPU", 100 * result.cpu.workers);
  // A few late sends are anybody's; so many, with CPU to spare, mean that this machine did not run us in time.
  if (tally.late > 0 && static_cast<double>(tally.late) >= kLateShare * static_cast<double>(tally.sent))
    return fmt::format("{} of {} sends were more than 1 ms late", tally.late, tally.sent);
  return {};
}

std::vector<std::string> missed_objectives(const Options& options, const RunResult& result) {
  const Objectives& asked = options.objectives;
  std::vector<std::string> missed;
  if (options.sweep) {
    if (result.knee_per_second == 0) missed.emplace_back("--sweep: not even its first rate held");
    if (result.knee_per_second < asked.rate_min_per_second)
      missed.push_back(fmt::format("--rate-min {:.0f}/s: the knee is at {:.0f}/s", asked.rate_min_per_second,
                                   result.knee_per_second));
    return missed;
  }
  const std::uint64_t p99_ns = result.tally.latency.percentile(99);
  if (asked.p99_max_ns > 0 && p99_ns > asked.p99_max_ns)
    missed.push_back(fmt::format("--p99-max {:.1f} us: p99 was {:.1f} us", us_of(asked.p99_max_ns), us_of(p99_ns)));
  if (result.tally.measured_rate() < asked.rate_min_per_second)
    missed.push_back(
        fmt::format("--rate-min {:.0f}/s: it was {:.0f}/s", asked.rate_min_per_second, result.tally.measured_rate()));
  return missed;
}

bool objective_met(const RunResult& result) noexcept {
  const Tally& tally = result.tally;
  return is_sound(tally) && tally.delivered() > 0 && (!result.surge || is_sound(*result.surge));
}

}  // namespace mcplane::loadgen
