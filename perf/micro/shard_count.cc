// A fixed number of tasks through one shard, for perf/instructions, which counts them under callgrind: inside
// ShardLoad::timed_sends() and timed_results(), from the moment count_tasks() begins. No clock decides anything here,
// so every run executes the same instructions. Prints the tasks counted; with --cycles, which is run by itself, cycles
// a task there, of many more tasks. --traces: the shard keeps traces.
#include <algorithm>
#include <cstdio>
#include <span>
#include <string_view>

#include "shard_load.h"

namespace mcplane::perf {
namespace {

constexpr std::uint64_t kWarmUpTasks = 4'096, kTasks = 65'536, kTimedTasks = 16 * kTasks;

void run_tasks(ShardLoad& load, std::uint64_t tasks) {
  for (const std::uint64_t goal = load.delivered + tasks; load.delivered < goal;) load.turn();
}

// As many SENDs as RESULTs: every turn has a burst of each.
[[gnu::noinline]] std::uint64_t count_tasks(ShardLoad& load) {
  const std::uint64_t delivered = load.delivered;
  run_tasks(load, kTasks);
  return load.delivered - delivered;
}

double time_tasks(ShardLoad& load) {
  load.send_cycles = load.result_cycles = 0;
  const std::uint64_t delivered = load.delivered;
  run_tasks(load, kTimedTasks);
  return static_cast<double>(load.send_cycles + load.result_cycles) / static_cast<double>(load.delivered - delivered);
}

int run(bool traces, bool timed) {
  ShardLoad load({.in_flight = 1'024, .clients = 64, .workers = 64, .traces = traces});
  run_tasks(load, kWarmUpTasks);
  const double cycles = timed ? time_tasks(load) : 0;
  const std::uint64_t tasks = timed ? 0 : count_tasks(load);
  if (const std::string fault = load.fault(); !fault.empty()) {
    std::fprintf(stderr, "shard_count: %s\n", fault.c_str());
    return 1;
  }
  timed ? std::printf("%.1f\n", cycles) : std::printf("%llu\n", static_cast<unsigned long long>(tasks));
  return 0;
}

}  // namespace
}  // namespace mcplane::perf

int main(int argc, char** argv) {
  const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
  const auto typed = [&](std::string_view flag) { return std::ranges::find(arguments, flag) != arguments.end(); };
  return mcplane::perf::run(typed("--traces"), typed("--cycles"));
}
