// The table: what is simulated, and what came out beside the ideal. One thread a cell.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cluster.h"

namespace mcplane::perf {

// How a task finds its worker, as a row of the table.
struct Scheduler {
  std::string_view name;
  state::Policy policy = state::Policy::kLeastOutstanding;
  double look_ahead_max = 0;
  std::uint32_t shards_max = 1;  // the table has it with up to so many
};
std::span<const Scheduler> schedulers() noexcept;

struct Cell {
  Scheduler scheduler;
  ServiceForm service = ServiceForm::kExponential;
  std::uint16_t slots = 1;  // of each of the 16 workers
  double delay = 0;         // one way, in mean service times
  std::uint32_t shards = 1;
  std::uint32_t tasks = 0;  // behind the warm-up
  std::uint32_t warm_up = 60'000;
  std::uint64_t service_turn_ns = 100 * kNsPerUs;  // service time over slots: arrivals are as fast in every cell
  std::uint64_t seed = 1;
  bool as_load = false;  // of WorkloadOptions
};
std::vector<Cell> all_cells(std::uint32_t tasks);
// Least-outstanding with one shard, and mcplane-load's tasks. nullopt: there is no service time of that name.
std::optional<Cell> load_cell(std::string_view service);
// The few that a test holds against the targets.
std::vector<Cell> quick_cells();

// Sojourn times in mean service times. The ideal's are those of M/G/k plus the four ways over the network that a task
// cannot do without, so delays stand on both sides of a ratio.
struct Figures {
  double p50 = 0, p99 = 0;
};
struct Outcome {
  Figures cluster, ideal;
  bool stable = true;  // else the cluster's figures say nothing
  double bound_mean = 0;
};
Outcome run_cell(const Cell& cell);

}  // namespace mcplane::perf
