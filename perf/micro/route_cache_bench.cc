// What it costs to find a selector's entry in a core's route cache: the one of the task before, one of many that are
// cached, and one that is not, which is matched against 64 pools. Arguments: selectors that take turns.
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <string>
#include <vector>

#include "dataplane/route_cache.h"

namespace mcplane::perf {
namespace {

constexpr std::uint32_t kCapacity = 1'024, kPools = 64;

state::RouteSnapshot make_snapshot() {
  state::RouteSnapshot snapshot;
  snapshot.generation = 1;
  for (std::uint32_t i = 0; i < kPools; ++i) {
    state::Pool pool;
    pool.actions = {snapshot.intern("generate")};
    pool.models = {snapshot.intern("model-" + std::to_string(i))};
    pool.tags = {snapshot.intern("gpu")};
    snapshot.add_pool(std::move(pool));
  }
  return snapshot;
}

// Selectors differ by model; those beyond the pools have none that serves them.
std::vector<std::string> make_models(std::size_t count) {
  std::vector<std::string> models;
  for (std::size_t i = 0; i < count; ++i) models.push_back("model-" + std::to_string(i));
  return models;
}

void route_cache_find(benchmark::State& state) {
  const auto selectors = static_cast<std::size_t>(state.range(0));
  const state::RouteSnapshot snapshot = make_snapshot();
  const std::vector<std::string> models = make_models(selectors);
  dataplane::RouteCache cache(kCapacity, {0x1234, 0x5678});
  wire::RouteView view{.action = "generate", .model = {}, .tags = {"gpu"}, .tag_count = 1, .task_id_text = {}};
  std::size_t at = 0;
  std::uint64_t wrong = 0;
  const std::uint64_t start = __rdtsc();
  for ([[maybe_unused]] auto unused : state) {
    view.model = models[at];
    const dataplane::RouteEntry* entry = cache.find(view, snapshot);
    wrong += entry == nullptr || entry->own.count != (at < kPools ? 1 : 0);
    at = at + 1 < selectors ? at + 1 : 0;
  }
  state.counters["cycles"] = static_cast<double>(__rdtsc() - start) / static_cast<double>(state.iterations());
  if (wrong > 0) state.SkipWithError("a selector was resolved wrongly");
}

BENCHMARK(route_cache_find)->ArgName("selectors")->Arg(1)->Arg(16)->Arg(512)->Arg(65'536);

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
