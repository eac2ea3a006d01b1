// See cells.h.
#include "cells.h"

#include <algorithm>
#include <array>

#include "control/config/options.h"
#include "reference.h"

namespace mcplane::perf {
namespace {

constexpr std::uint32_t kWorkers = 16;
constexpr std::array<std::uint16_t, 2> kSlots = {1, 4};
constexpr std::array kDelays = {0.0, 0.25, 1.0};
// More tasks in the cluster at the end than in the ideal are no chance from this share of all on: a queue that grows by
// one task in a hundred.
constexpr std::size_t kPiledUpShare = 100;
const double kLookAheadMax = control::ControlOptions{}.look_ahead_max;

// A policy is a line here.
const std::array kSchedulers = {
    Scheduler{"least-outstanding, no look-ahead", state::Policy::kLeastOutstanding, 0, 1},
    Scheduler{"least-outstanding", state::Policy::kLeastOutstanding, kLookAheadMax, 8},
    Scheduler{"power-of-two", state::Policy::kPowerOfTwo, kLookAheadMax, 1},
    Scheduler{"round-robin", state::Policy::kRoundRobin, kLookAheadMax, 1},
    Scheduler{"weighted", state::Policy::kWeighted, kLookAheadMax, 1},
    Scheduler{"source-hash", state::Policy::kSourceHash, kLookAheadMax, 1},
    Scheduler{"session", state::Policy::kSession, kLookAheadMax, 1},
};

const Scheduler& kUsual = kSchedulers[1];

Figures figures_of(std::vector<std::uint64_t>& sojourns_ns, double service_ns) {
  return {static_cast<double>(percentile(sojourns_ns, 50)) / service_ns,
          static_cast<double>(percentile(sojourns_ns, 99)) / service_ns};
}

}  // namespace

std::span<const Scheduler> schedulers() noexcept { return kSchedulers; }

std::vector<Cell> all_cells(std::uint32_t tasks) {
  std::vector<Cell> cells;
  for (const Scheduler& scheduler : kSchedulers)
    for (const std::uint16_t slots : kSlots)
      for (const ServiceForm service : kServiceForms)
        for (const double delay : kDelays)
          for (std::uint32_t shards = 1; shards <= scheduler.shards_max; shards *= 2)
            cells.push_back({scheduler, service, slots, delay, shards, tasks});
  return cells;
}

std::optional<Cell> load_cell(std::string_view service) {
  for (const ServiceForm form : kServiceForms)
    if (name_of(form) == service) return Cell{.scheduler = kUsual, .service = form, .as_load = true};
  return std::nullopt;
}

std::vector<Cell> quick_cells() {
  constexpr std::uint32_t kTasks = 200'000;
  return {{kUsual, ServiceForm::kExponential, 1, 0.25, 1, kTasks},
          {kUsual, ServiceForm::kBimodalMixed, 1, 0.25, 1, kTasks},
          {kUsual, ServiceForm::kExponential, 1, 1, 1, kTasks},
          {kSchedulers[0], ServiceForm::kExponential, 1, 1, 1, kTasks}};
}

Outcome run_cell(const Cell& cell) {
  const std::uint32_t servers = kWorkers * cell.slots;
  const std::uint64_t service_ns = cell.service_turn_ns * cell.slots;
  const auto delay_ns = static_cast<std::uint64_t>(cell.delay * static_cast<double>(service_ns));
  const auto work = draw_workload({.service = cell.service,
                                   .service_mean_ns = service_ns,
                                   .servers = servers,
                                   .tasks = cell.tasks,
                                   .warm_up = cell.warm_up,
                                   .seed = cell.seed,
                                   .as_load = cell.as_load});
  auto ideal_ns = ideal_sojourns_ns(work, servers);
  std::size_t ideal_left = 0;
  for (std::size_t i = 0; i < work.size(); ++i) {
    ideal_left += work[i].sent_ns + ideal_ns[i] > work.back().sent_ns ? 1 : 0;
    ideal_ns[i] += 4 * delay_ns;
  }
  ideal_ns.erase(ideal_ns.begin(), ideal_ns.begin() + cell.warm_up);
  ClusterRun run = run_cluster({.policy = cell.scheduler.policy,
                                .look_ahead_max = cell.scheduler.look_ahead_max,
                                .shards = cell.shards,
                                .workers = kWorkers,
                                .slots = cell.slots,
                                .delay_ns = delay_ns,
                                .seed = cell.seed},
                               work, cell.warm_up);
  Outcome outcome;
  outcome.stable = !run.refused && run.left <= ideal_left + work.size() / kPiledUpShare;
  outcome.bound_mean = run.bound_mean;
  outcome.ideal = figures_of(ideal_ns, static_cast<double>(service_ns));
  if (outcome.stable) outcome.cluster = figures_of(run.sojourns_ns, static_cast<double>(service_ns));
  return outcome;
}

}  // namespace mcplane::perf
