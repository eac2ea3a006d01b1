// Cycles a task through the load generator over a port, everything on: frame parsing and building with checksums, both
// engines, the check of every byte of every answer, histograms. In-memory NIC, one core. Arguments: clients, workers.
#include <benchmark/benchmark.h>

#include "port_load.h"

namespace mcplane::perf {
namespace {

void port_task(benchmark::State& state) {
  const auto clients = static_cast<std::uint32_t>(state.range(0)), workers = static_cast<std::uint32_t>(state.range(1));
  PortLoad load({.clients = clients, .workers = workers, .window = static_cast<std::uint16_t>(clients > 64 ? 8 : 32)});
  for (int i = 0; i < 1'000; ++i) load.turn();
  load.client_cycles = load.worker_cycles = 0;
  const std::uint64_t warm_answers = load.answers, warm_routes = load.routes;
  for ([[maybe_unused]] auto unused : state) load.turn();
  const double client = static_cast<double>(load.client_cycles) / static_cast<double>(load.answers - warm_answers);
  const double worker = static_cast<double>(load.worker_cycles) / static_cast<double>(load.routes - warm_routes);
  state.counters["client_cycles"] = client;
  state.counters["worker_cycles"] = worker;
  state.counters["cycles_per_task"] = client + worker;
  if (const std::string fault = load.fault(); !fault.empty()) state.SkipWithError(fault.c_str());
}

BENCHMARK(port_task)->ArgNames({"clients", "workers"})->Args({4, 4})->Args({64, 8})->Args({2'000, 2'000});

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
