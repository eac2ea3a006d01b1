// Cycles a task through the stations, everything on: checks, checksums, dedup, selector look-up, worker choice, timer,
// accounting. In-memory NIC, one core. Arguments: tasks in flight, workers. shard_task reports the time of a burst of
// 32 tasks in the loop; stations, which reads the clock between them, where it goes.
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>

#include "shard_load.h"
#include "station_loop.h"

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

// Cycles a received frame in each station, of SENDs and of RESULTs.
void stations(benchmark::State& state) {
  StationLoop loop;
  ShardLoad load({.in_flight = static_cast<std::uint32_t>(state.range(0)),
                  .clients = 1'024,
                  .workers = static_cast<std::uint32_t>(state.range(1)),
                  .step = [&loop](testing::ShardRig& rig, Leg leg) { loop.run_once(rig, leg); }});
  for (int i = 0; i < 1'000; ++i) load.turn();
  loop.readings = {};
  for ([[maybe_unused]] auto unused : state) load.turn();
  if (const std::string fault = load.fault(); !fault.empty()) return state.SkipWithError(fault.c_str());
  constexpr std::array<const char*, 2> kLegs = {"send_", "result_"};
  for (std::size_t leg = 0; leg < kLegs.size(); ++leg)
    for (std::size_t station = 0; station < kStations; ++station)
      state.counters[kLegs[leg] + std::string(kStationNames[station])] =
          static_cast<double>(loop.readings[leg].cycles[station]) / static_cast<double>(loop.readings[leg].frames);
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
