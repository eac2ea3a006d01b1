// Cycles a task through the stations, everything on: checks, checksums, dedup, selector look-up, worker choice, timer,
// accounting. In-memory NIC, one core. Arguments: tasks in flight, workers. shard_task reports the time of a burst of
// 32 tasks in the loop; stations, by the core's own measuring, where it goes.
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

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

void shard_task(benchmark::State& state) {
  ShardLoad load({.in_flight = static_cast<std::uint32_t>(state.range(0)),
                  .clients = 1'024,
                  .workers = static_cast<std::uint32_t>(state.range(1))});
  for (int i = 0; i < 1'000; ++i) load.turn();
  const std::uint64_t warm = load.delivered;
  load.send_cycles = load.result_cycles = 0;
  for ([[maybe_unused]] auto unused : state) {
    const std::uint64_t before = load.send_cycles + load.result_cycles;
    load.turn();
    state.SetIterationTime(static_cast<double>(load.send_cycles + load.result_cycles - before) / tsc_hz());
  }
  if (const std::string fault = load.fault(); !fault.empty()) return state.SkipWithError(fault.c_str());
  const auto tasks = static_cast<double>(load.delivered - warm);
  state.counters["send_cycles"] = static_cast<double>(load.send_cycles) / tasks;
  state.counters["result_cycles"] = static_cast<double>(load.result_cycles) / tasks;
  state.counters["cycles_per_task"] = static_cast<double>(load.send_cycles + load.result_cycles) / tasks;
  state.SetItemsProcessed(static_cast<std::int64_t>(load.delivered - warm));
}

// Cycles by station of the loops the core itself measures, one in 61; every second of them brings SENDs.
class StationCycles {
 public:
  // After each loop: what `perf` counted since the loop before was that loop's.
  void take(const state::PerfCounters& perf, StationCycles& before) {
    for (std::size_t i = 0; i < state::kStations; ++i) {
      const std::uint64_t counted = perf.cycles[i].read();
      cycles_[i] += counted - std::exchange(before.cycles_[i], counted);
    }
    frames_ += perf.frames.read() - std::exchange(before.frames_, perf.frames.read());
  }
  double each(std::size_t station) const {
    return static_cast<double>(cycles_[station]) / static_cast<double>(frames_);
  }

 private:
  std::array<std::uint64_t, state::kStations> cycles_{};
  std::uint64_t frames_ = 0;
};

void stations(benchmark::State& state) {
  ShardLoad load({.in_flight = static_cast<std::uint32_t>(state.range(0)),
                  .clients = 1'024,
                  .workers = static_cast<std::uint32_t>(state.range(1))});
  for (int i = 0; i < 1'000; ++i) load.turn();
  const state::PerfCounters& perf = load.measure_stations();
  StationCycles total, sends, results;
  for ([[maybe_unused]] auto unused : state) {
    load.send();
    sends.take(perf, total);
    load.answer();
    results.take(perf, total);
  }
  if (const std::string fault = load.fault(); !fault.empty()) return state.SkipWithError(fault.c_str());
  for (std::size_t station = 0; station < state::kStations; ++station) {
    const std::string name(state::kStationNames[station]);
    state.counters["send_" + name] = sends.each(station);
    state.counters["result_" + name] = results.each(station);
  }
}

constexpr std::int64_t kThousand = 1'024, kMany = 65'536, kMillion = 1'048'576;

// Eight workers cannot hold a million tasks: a worker has 65,535 slots at most. Turns are counted, since Google
// Benchmark would find their number by filling a shard several times.
BENCHMARK(shard_task)
    ->ArgNames({"in_flight", "workers"})
    ->ArgsProduct({{kThousand, kMany}, {8, 1'000}})
    ->Args({kMillion, 1'000})
    ->Args({kThousand, 64'000})
    ->Iterations(20'000)
    ->UseManualTime();

BENCHMARK(stations)
    ->ArgNames({"in_flight", "workers"})
    ->Args({kThousand, 8})
    ->ArgsProduct({{kMany, kMillion}, {1'000}})
    ->Iterations(20'000);

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
