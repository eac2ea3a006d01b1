// Cycles a task through the load generator over a port, everything on: frame parsing and building with checksums, both
// engines, the check of every byte of every answer, histograms. In-memory NIC, one core. Arguments: clients, workers.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "port_load.h"

namespace mcplane::perf {
namespace {

double each(std::uint64_t cycles, std::uint64_t tasks) {
  return static_cast<double>(cycles) / static_cast<double>(tasks);
}

// Of bursts: one that was interrupted says nothing.
double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

void port_task(benchmark::State& state) {
  const auto clients = static_cast<std::uint32_t>(state.range(0)), workers = static_cast<std::uint32_t>(state.range(1));
  PortLoad load({.clients = clients, .workers = workers, .window = static_cast<std::uint16_t>(clients > 64 ? 1 : 32)});
  for (int i = 0; i < 1'000; ++i) load.turn();
  std::vector<double> clients_took, workers_took;
  for ([[maybe_unused]] auto unused : state) {
    const PortLoad::Counts before = load.counts;
    load.turn();
    clients_took.push_back(
        each(load.counts.client_cycles - before.client_cycles, load.counts.answers - before.answers));
    workers_took.push_back(each(load.counts.worker_cycles - before.worker_cycles, load.counts.routes - before.routes));
  }
  const double client = median(clients_took), worker = median(workers_took);
  state.counters["client_cycles"] = client;
  state.counters["worker_cycles"] = worker;
  state.counters["cycles_per_task"] = client + worker;
  if (const std::string fault = load.fault(); !fault.empty()) state.SkipWithError(fault.c_str());
}

BENCHMARK(port_task)->ArgNames({"clients", "workers"})->Args({4, 4})->Args({64, 8})->Args({2'000, 2'000});

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
