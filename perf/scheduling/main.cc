// mcplane_scheduling: the cells of the table, one JSON object a line as each is done. perf/scheduling/run makes the
// table and the picture of them. Arguments: none, or "quick" for the few cells that a test looks at.
#include <cstdio>
#include <string_view>

#include "cells.h"

namespace mcplane::perf {
namespace {

// Of the rare form 3,000 are long: fewer, and its p99 is a matter of luck.
constexpr std::uint32_t kTasks = 600'000;

void print(const Cell& cell, const Outcome& outcome) {
  std::printf(R"({"scheduler": "%.*s", "service": "%.*s", "slots": %u, "delay": %g, "shards": %u, "tasks": %u, )",
              static_cast<int>(cell.scheduler.name.size()), cell.scheduler.name.data(),
              static_cast<int>(name_of(cell.service).size()), name_of(cell.service).data(), unsigned{cell.slots},
              cell.delay, cell.shards, cell.tasks);
  std::printf(R"("stable": %s, "bound": %.2f, "p50": %.4f, "p99": %.4f, "ideal_p50": %.4f, "ideal_p99": %.4f})"
              "\n",
              outcome.stable ? "true" : "false", outcome.bound_mean, outcome.cluster.p50, outcome.cluster.p99,
              outcome.ideal.p50, outcome.ideal.p99);
  std::fflush(stdout);
}

}  // namespace
}  // namespace mcplane::perf

int main(int argc, char** argv) {
  using namespace mcplane::perf;
  const bool quick = argc == 2 && std::string_view(argv[1]) == "quick";
  if (argc > 1 && !quick) {
    std::fprintf(stderr, "mcplane_scheduling: '%s' is no argument of it; try none, or: quick\n", argv[1]);
    return 2;
  }
  for (const Cell& cell : quick ? quick_cells() : all_cells(kTasks)) print(cell, run_cell(cell));
  return 0;
}
