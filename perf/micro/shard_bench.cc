// Cycles a task through the stations, everything on: checks, checksums, dedup, selector look-up, worker choice, timer,
// accounting. In-memory NIC, one core. Argument: tasks in flight. Reported time is that of one task in the loop.
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <chrono>
#include <thread>

#include "shard_load.h"

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
  ShardLoad load({.in_flight = static_cast<std::uint32_t>(state.range(0))});
  while (load.turn() == 0) {
  }
  const std::uint64_t warm = load.delivered, warm_sends = load.sent;
  load.send_cycles = load.result_cycles = 0;
  for ([[maybe_unused]] auto unused : state) {
    const std::uint64_t before = load.send_cycles + load.result_cycles;
    load.turn();
    state.SetIterationTime(static_cast<double>(load.send_cycles + load.result_cycles - before) / tsc_hz());
  }
  if (const std::string fault = load.fault(); !fault.empty()) return state.SkipWithError(fault.c_str());
  const auto tasks = static_cast<double>(load.delivered - warm), sends = static_cast<double>(load.sent - warm_sends);
  const double send = static_cast<double>(load.send_cycles) / sends;
  const double result = static_cast<double>(load.result_cycles) / tasks;
  state.counters["cycles_per_task"] = send + result;
  state.counters["send_cycles"] = send;
  state.counters["result_cycles"] = result;
  state.SetItemsProcessed(static_cast<std::int64_t>(load.delivered - warm));
}

BENCHMARK(shard_task)->ArgName("in_flight")->Arg(64)->Arg(1'024)->Arg(16'384)->UseManualTime();

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
