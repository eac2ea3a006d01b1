// mcplane_scheduling: the cells of the table, one JSON object a line as each is done. perf/scheduling/run makes the
// table and the picture of them. Arguments: none, or "quick" for the few cells that a test looks at, or one cell,
// SERVICE SLOTS MEAN_NS DELAY WARM_UP TASKS SEED, of mcplane-load's tasks, as perf/protection/run asks for it.
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "cells.h"

namespace mcplane::perf {
namespace {

// Of the rare form 3,000 are long: fewer, and its p99 is a matter of luck.
constexpr std::uint32_t kTasks = 600'000;

void print(const Cell& cell, const Outcome& outcome) {
  std::printf(
      R"({"scheduler": "%.*s", "service": "%.*s", "slots": %u, "delay": %g, "shards": %u, "tasks": %u, "seed": %llu, )",
      static_cast<int>(cell.scheduler.name.size()), cell.scheduler.name.data(),
      static_cast<int>(name_of(cell.service).size()), name_of(cell.service).data(), unsigned{cell.slots}, cell.delay,
      cell.shards, cell.tasks, static_cast<unsigned long long>(cell.seed));
  std::printf(R"("stable": %s, "bound": %.2f, "p50": %.4f, "p99": %.4f, "ideal_p50": %.4f, "ideal_p99": %.4f})"
              "\n",
              outcome.stable ? "true" : "false", outcome.bound_mean, outcome.cluster.p50, outcome.cluster.p99,
              outcome.ideal.p50, outcome.ideal.p99);
  std::fflush(stdout);
}

// The cell that kCellArguments arguments say; what is no number is 0, which is none of a cell.
constexpr int kCellArguments = 7;
std::optional<Cell> cell_of(char** arguments) {
  const auto number = [&](int which) { return std::strtoul(arguments[which], nullptr, 10); };
  const auto between = [](unsigned long value, unsigned long least, unsigned long most) {
    return value >= least && value <= most;
  };
  std::optional<Cell> cell = load_cell(arguments[0]);
  const unsigned long slots = number(1), mean_ns = number(2), warm_up = number(4), tasks = number(5);
  const double delay = std::strtod(arguments[3], nullptr);
  constexpr unsigned long kTasksMax = 100'000'000;
  if (!cell || !between(slots, 1, 1'024) || !between(mean_ns, slots, kNsPerSecond) || !(delay >= 0 && delay <= 100) ||
      !between(warm_up, 1, kTasksMax) || !between(tasks, 1, kTasksMax))
    return std::nullopt;
  cell->slots = static_cast<std::uint16_t>(slots);
  cell->service_turn_ns = mean_ns / slots;
  cell->delay = delay;
  cell->warm_up = static_cast<std::uint32_t>(warm_up);
  cell->tasks = static_cast<std::uint32_t>(tasks);
  cell->seed = number(6);
  return cell;
}

}  // namespace
}  // namespace mcplane::perf

int main(int argc, char** argv) {
  using namespace mcplane::perf;
  const bool quick = argc == 2 && std::string_view(argv[1]) == "quick";
  const std::optional<Cell> one = argc == 1 + kCellArguments ? cell_of(argv + 1) : std::nullopt;
  if (argc > 1 && !quick && !one) {
    std::fprintf(stderr,
                 "mcplane_scheduling: '%s' ... are no arguments of it; try none, or: quick, or a cell such as: "
                 "exponential 1 1000000 0.25 60000 600000 1\n",
                 argv[1]);
    return 2;
  }
  if (one) {
    print(*one, run_cell(*one));
    return 0;
  }
  for (const Cell& cell : quick ? quick_cells() : all_cells(kTasks)) print(cell, run_cell(cell));
  return 0;
}
