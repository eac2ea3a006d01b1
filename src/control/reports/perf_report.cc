// See perf_report.h. A core whose figures are of an earlier run has measured nothing yet.
#include "control/reports/perf_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "control/reports/json_line.h"

namespace mcplane::control {
namespace {

using Json = nlohmann::ordered_json;
using Buckets = state::Residence::Buckets;

// To a tenth; 0 of nothing.
double quotient(double dividend, double divisor) { return divisor > 0 ? std::round(dividend / divisor * 10) / 10 : 0; }
double quotient(std::uint64_t dividend, std::uint64_t divisor) {
  return quotient(static_cast<double>(dividend), static_cast<double>(divisor));
}

// Busy cycles of all loops as the measured ones let us guess, as a share of the time that passed; sleep is none of
// them.
double busy_ratio(const state::PerfCounters& perf) {
  const auto elapsed = static_cast<double>(perf.elapsed_cycles.read());
  const auto sampled = static_cast<double>(perf.sampled_loops.read());
  if (elapsed <= 0 || sampled <= 0) return 0;
  const double busy = static_cast<double>(perf.busy_cycles.read()) / sampled * static_cast<double>(perf.loops.read());
  return std::round(std::min(busy / elapsed, 1.0) * 1'000) / 1'000;
}

bool has_measured(const Control& control, const state::PerfCounters& perf) {
  return control.perf_runs() > 0 && perf.run.read() == control.perf_runs();
}

Json core_json(std::size_t shard, const state::PerfCounters& perf) {
  const std::uint64_t frames = perf.frames.read();
  Json cycles = Json::object();
  for (std::size_t i = 0; i < state::kStations; ++i)
    cycles[std::string(state::kStationNames[i])] = quotient(perf.cycles[i].read(), frames);
  // Loops without any work, each.
  const std::uint64_t all = perf.busy_cycles.read() + perf.idle_cycles.read();
  return {
      {"shard", shard},
      {"loops", perf.loops.read()},
      {"sampled_loops", perf.sampled_loops.read()},
      {"busy_ratio", busy_ratio(perf)},
      {"frames", frames},
      {"tasks", perf.tasks.read()},
      {"cycles_per_frame", cycles},
      {"cycles_per_task", quotient(perf.busy_cycles.read(), perf.tasks.read())},
      {"cycles_per_loop", quotient(all, perf.sampled_loops.read())},
      {"idle_cycles_percent", quotient(100 * static_cast<double>(perf.idle_cycles.read()), static_cast<double>(all))}};
}

Json residence_json(const Control& control, std::size_t leg) {
  std::vector<std::uint64_t> counts(Buckets::kBuckets, 0);
  std::uint64_t total = 0, max = 0;
  for (const auto& shard : control.shared().shards) {
    if (!has_measured(control, shard->perf)) continue;
    const state::Residence& residence = shard->perf.residence[leg];
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const std::uint64_t count = residence.counts[i].read();
      counts[i] += count;
      total += count;
    }
    max = std::max(max, residence.max.read());
  }
  const auto ns = [&control](std::uint64_t cycles) {
    return static_cast<std::uint64_t>(static_cast<double>(cycles) * static_cast<double>(kNsPerSecond) /
                                      static_cast<double>(control.options().tsc_hz));
  };
  const auto at = [&](double percent) {
    return ns(Buckets::percentile(std::span<const std::uint64_t, Buckets::kBuckets>(counts), total, max, percent));
  };
  return {{"count", total}, {"p50", at(50)}, {"p90", at(90)}, {"p99", at(99)}, {"p999", at(99.9)}, {"max", ns(max)}};
}

}  // namespace

std::string perf_json(const Control& control) {
  const state::Shared& shared = control.shared();
  Json cores = Json::array();
  for (std::size_t i = 0; i < shared.shards.size(); ++i)
    if (has_measured(control, shared.shards[i]->perf)) cores.push_back(core_json(i, shared.shards[i]->perf));
  Json residence = Json::object();
  for (std::size_t leg = 0; leg < state::kLegs; ++leg)
    residence[std::string(state::kLegNames[leg])] = residence_json(control, leg);
  const Json answer = {{"on", shared.perf_run.load(std::memory_order_relaxed) != 0},
                       {"tsc_hz", control.options().tsc_hz},
                       {"cores", cores},
                       {"residence_ns", residence}};
  return json_line(answer);
}

}  // namespace mcplane::control
