// A fixed number of tasks through one shard, for perf/instructions, which counts them under callgrind: inside
// ShardLoad::timed_sends() and timed_results(), from the moment count_tasks() begins. No clock decides anything here,
// so every run executes the same instructions. Prints the tasks counted. --traces: the shard keeps traces.
#include <cstdio>
#include <string_view>

#include "shard_load.h"

namespace mcplane::perf {
namespace {

constexpr std::uint64_t kWarmUpTasks = 4'096, kTasks = 65'536;

void run_tasks(ShardLoad& load, std::uint64_t tasks) {
  for (const std::uint64_t goal = load.delivered + tasks; load.delivered < goal;) load.turn();
}

// As many SENDs as RESULTs: every turn has a burst of each.
[[gnu::noinline]] std::uint64_t count_tasks(ShardLoad& load) {
  const std::uint64_t delivered = load.delivered;
  run_tasks(load, kTasks);
  return load.delivered - delivered;
}

int run(bool traces) {
  ShardLoad load({.in_flight = 1'024, .clients = 64, .workers = 64, .traces = traces});
  run_tasks(load, kWarmUpTasks);
  const std::uint64_t tasks = count_tasks(load);
  if (const std::string fault = load.fault(); !fault.empty()) {
    std::fprintf(stderr, "shard_count: %s\n", fault.c_str());
    return 1;
  }
  std::printf("%llu\n", static_cast<unsigned long long>(tasks));
  return 0;
}

}  // namespace
}  // namespace mcplane::perf

int main(int argc, char** argv) { return mcplane::perf::run(argc > 1 && std::string_view(argv[1]) == "--traces"); }
