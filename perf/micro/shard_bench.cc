// Cycles a task through the stations, everything on: checks, checksums, dedup, selector look-up, worker choice, timer,
// accounting. In-memory NIC, one core. Arguments: tasks in flight, workers. shard_task reports the time of a burst of
// 32 tasks in the loop; stations, by the core's own measuring, where it goes.
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "shard_load.h"
#include "state/perf_counters.h"

namespace mcplane::perf {
namespace {

double tsc_hz() {
  static const double hz = [] {
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t tsc = __rdtsc();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    return static_cast<double>(__rdtsc() - tsc) / passed.count();
  }();
  return hz;
}

// Cycles of a burst's loop for each of its frames.
class Loops {
 public:
  void add(std::uint64_t cycles) { cycles_.push_back(static_cast<double>(cycles) / ShardLoad::kBurst); }
  // A loop that took eight times as long as most was interrupted: it says nothing.
  double mean() {
    if (cycles_.empty()) return 0;
    const auto middle = cycles_.begin() + static_cast<std::ptrdiff_t>(cycles_.size() / 2);
    std::ranges::nth_element(cycles_, middle);
    const double longest = 8 * *middle;
    std::erase_if(cycles_, [=](double cycles) { return cycles > longest; });
    return std::accumulate(cycles_.begin(), cycles_.end(), 0.0) / static_cast<double>(cycles_.size());
  }

 private:
  std::vector<double> cycles_;
};

void shard_task(benchmark::State& state) {
  ShardLoad load({.in_flight = static_cast<std::uint32_t>(state.range(0)),
                  .clients = 1'024,
                  .workers = static_cast<std::uint32_t>(state.range(1))});
  for (int i = 0; i < 1'000; ++i) load.turn();
  Loops sends, results;
  for ([[maybe_unused]] auto unused : state) {
    const std::uint64_t send = load.send_cycles, result = load.result_cycles;
    load.turn();
    sends.add(load.send_cycles - send);
    results.add(load.result_cycles - result);
    state.SetIterationTime(static_cast<double>(load.send_cycles - send + load.result_cycles - result) / tsc_hz());
  }
  if (const std::string fault = load.fault(); !fault.empty()) return state.SkipWithError(fault.c_str());
  const double send = sends.mean(), result = results.mean();
  state.counters["send_cycles"] = send;
  state.counters["result_cycles"] = result;
  state.counters["cycles_per_task"] = send + result;
}

// Cycles by station of the loops the core itself measures, one in 61; every second of them brings SENDs.
class StationLoops {
 public:
  // After each loop: what `perf` has counted since `before`, if it was one of those.
  void take(const state::PerfCounters& perf, state::PerfCounters& before) {
    const bool measured = perf.sampled_loops.read() != before.sampled_loops.read();
    before.sampled_loops.set(perf.sampled_loops.read());
    for (std::size_t i = 0; i < state::kStations; ++i) {
      if (measured) stations_[i].add(perf.cycles[i].read() - before.cycles[i].read());
      before.cycles[i].set(perf.cycles[i].read());
    }
  }
  double mean(std::size_t station) { return stations_[station].mean(); }

 private:
  std::array<Loops, state::kStations> stations_;
};

void stations(benchmark::State& state) {
  ShardLoad load({.in_flight = static_cast<std::uint32_t>(state.range(0)),
                  .clients = 1'024,
                  .workers = static_cast<std::uint32_t>(state.range(1))});
  for (int i = 0; i < 1'000; ++i) load.turn();
  const state::PerfCounters& perf = load.measure_stations();
  state::PerfCounters before{};
  StationLoops sends, results;
  for ([[maybe_unused]] auto unused : state) {
    load.send();
    sends.take(perf, before);
    load.answer();
    results.take(perf, before);
  }
  if (const std::string fault = load.fault(); !fault.empty()) return state.SkipWithError(fault.c_str());
  for (std::size_t station = 0; station < state::kStations; ++station) {
    const std::string name(state::kStationNames[station]);
    state.counters["send_" + name] = sends.mean(station);
    state.counters["result_" + name] = results.mean(station);
  }
}

constexpr std::int64_t kThousand = 1'024, kMany = 65'536, kMillion = 1'048'576;

// Eight workers cannot hold a million tasks: a worker has 65,535 slots at most. Turns are counted, since Google
// Benchmark would find their number by filling a shard several times.
BENCHMARK(shard_task)
    ->ArgNames({"in_flight", "workers"})
    ->ArgsProduct({{kThousand, kMany}, {8, 1'000, 64'000}})
    ->ArgsProduct({{kMillion}, {1'000, 64'000}})
    ->Iterations(20'000)
    ->UseManualTime();

BENCHMARK(stations)
    ->ArgNames({"in_flight", "workers"})
    ->Args({kThousand, 8})
    ->ArgsProduct({{kMany}, {1'000, 64'000}})
    ->Args({kMillion, 1'000})
    ->Iterations(20'000);

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
