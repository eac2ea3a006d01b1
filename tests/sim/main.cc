// mcplane_sim: one seed, or many. Exit 0: every invariant held. A failure says which did not, the last events, and the
// command that shows it again. With a bug planted the aim is the first seed that finds it: exit 0 when one does.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "run.h"
#include "swarm.h"

namespace {

using mcplane::PlantedBug;
using mcplane::sim::Options;
using mcplane::sim::Result;
using mcplane::sim::Sabotage;

struct Plan {
  std::uint64_t first = 1, count = 1;
  Sabotage sabotage{};
  PlantedBug plant{};
  bool trace = false;
};

// Index of a name in its table.
template <class Enum, class Names>
Enum named(const Names& names, const std::string& name, const char* flag) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  std::string known;
  for (const std::string_view other : names) known.append(known.empty() ? "" : ", ").append(other);
  throw CLI::ValidationError(flag, name + ": unknown; there are " + known);
}

void print_again(std::uint64_t seed, const Plan& plan) {
  std::printf("again: mcplane_sim --seed %llu", static_cast<unsigned long long>(seed));
  if (plan.sabotage != Sabotage::kNone)
    std::printf(" --sabotage %s", mcplane::sim::kSabotageNames[static_cast<std::size_t>(plan.sabotage)].data());
  if (plan.plant != PlantedBug::kNone)
    std::printf(" --plant %s", mcplane::kPlantedBugNames[static_cast<std::size_t>(plan.plant)].data());
  std::puts(" --trace");
}

bool run_seed(std::uint64_t seed, const Plan& plan, bool first_failure) {
  Options options = mcplane::sim::draw(seed);
  options.sabotage = plan.sabotage;
  options.plant = plan.plant;
  const Result result = mcplane::sim::run(options, plan.trace);
  if (!result.broken.empty()) {
    std::printf("seed %llu broke: %s\n", static_cast<unsigned long long>(seed), result.broken.c_str());
    if (!plan.trace && first_failure) std::fputs(result.last.c_str(), stdout);
    print_again(seed, plan);
  }
  if (plan.count == 1)
    std::printf("seed %llu: %llu tasks, %llu delivered, %llu events, %.1f s of virtual time, trace %016llx\n",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(result.tasks),
                static_cast<unsigned long long>(result.delivered), static_cast<unsigned long long>(result.events),
                static_cast<double>(result.virtual_ns) / 1e9, static_cast<unsigned long long>(result.hash));
  return result.broken.empty();
}

int run_all(const Plan& plan) {
  const bool planted = plan.plant != PlantedBug::kNone;
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t broken = 0, seeds = 0;
  while (seeds < plan.count && !(planted && broken > 0)) {
    if (!run_seed(plan.first + seeds, plan, broken == 0)) ++broken;
    ++seeds;
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  if (plan.count > 1)
    std::printf("%llu seeds from %llu: %llu broke an invariant, %.1f ms a seed\n",
                static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(plan.first),
                static_cast<unsigned long long>(broken), took.count() / static_cast<double>(seeds));
  return (broken > 0) == planted ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Deterministic simulation of clients, workers and the broker on a faulty network");
  Plan plan;
  std::vector<std::uint64_t> seeds;
  std::string sabotage = "none", plant = "none";
  app.add_option("--seed", plan.first, "Run one seed");
  app.add_option("--seeds", seeds, "FROM COUNT: run many")->expected(2);
  app.add_option("--sabotage", sabotage, "Break the harness on purpose");
  app.add_option("--plant", plant, "Break the code under test on purpose, and stop at the first seed that finds it");
  app.add_flag("--trace", plan.trace, "Print every event");
  try {
    app.parse(argc, argv);
    plan.sabotage = named<Sabotage>(mcplane::sim::kSabotageNames, sabotage, "--sabotage");
    plan.plant = named<PlantedBug>(mcplane::kPlantedBugNames, plant, "--plant");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!seeds.empty()) {
    plan.first = seeds[0];
    plan.count = seeds[1];
  }
  return run_all(plan);
}
