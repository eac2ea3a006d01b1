// What hand-over between cores costs: cycles a task on two cores with every frame at its own core, and with every frame
// at the other one. Pass: 100 % keeps at least 70 % of the throughput at 0 %. Needs two CPUs that do nothing else.
#include <benchmark/benchmark.h>

#include <chrono>

#include "handoff_load.h"

namespace mcplane::perf {
namespace {

void handoff_task(benchmark::State& state) {
  constexpr std::uint64_t kWarmUpTasks = 20'000, kTasks = 200'000;
  HandoffLoad load({.handed_percent = static_cast<std::uint32_t>(state.range(0)),
                    .shared_workers = state.range(1) != 0,
                    .frames_in_memory = state.range(2) != 0});
  load.run(kWarmUpTasks);
  const std::uint64_t cycles = load.cycles(), delivered = load.delivered(), handed = load.handed_off();
  const std::uint64_t trip_before = round_trip_cycles();
  for ([[maybe_unused]] auto unused : state) {
    const auto start = std::chrono::steady_clock::now();
    load.run(kTasks);
    state.SetIterationTime(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const auto tasks = static_cast<double>(load.delivered() - delivered);
  state.counters["cycles_per_task"] = static_cast<double>(load.cycles() - cycles) / tasks;
  state.counters["round_trip"] = static_cast<double>(trip_before + round_trip_cycles()) / 2;
  state.counters["handed_per_task"] = static_cast<double>(load.handed_off() - handed) / tasks;
  state.SetItemsProcessed(static_cast<std::int64_t>(tasks));
  if (const std::string fault = load.fault(); !fault.empty()) state.SkipWithError(fault.c_str());
}

BENCHMARK(handoff_task)
    ->ArgNames({"handed_percent", "shared_workers", "frames_in_memory"})
    ->ArgsProduct({{0, 100}, {0, 1}, {0, 1}})
    ->Iterations(1)
    ->Repetitions(5)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
