// mcplane_sim: one seed, or many. Exit 0: every invariant held. A failure says which did not, the last events, and the
// command that shows it again.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "run.h"
#include "swarm.h"

namespace {

using mcplane::sim::Options;
using mcplane::sim::Result;

bool run_seed(std::uint64_t seed, const Options& options, bool trace, bool say, bool first) {
  const Result result = mcplane::sim::run(options, trace);
  const auto name = mcplane::sim::kSabotageNames[static_cast<std::size_t>(options.sabotage)];
  if (!result.broken.empty()) {
    std::printf("seed %llu broke: %s\n", static_cast<unsigned long long>(seed), result.broken.c_str());
    if (!trace && first) std::fputs(result.last.c_str(), stdout);
    std::printf("again: mcplane_sim --seed %llu --sabotage %.*s --trace\n", static_cast<unsigned long long>(seed),
                static_cast<int>(name.size()), name.data());
  }
  if (say)
    std::printf("seed %llu: %llu tasks, %llu delivered, %llu events, %.1f s of virtual time, trace %016llx\n",
                static_cast<unsigned long long>(seed), static_cast<unsigned long long>(result.tasks),
                static_cast<unsigned long long>(result.delivered), static_cast<unsigned long long>(result.events),
                static_cast<double>(result.virtual_ns) / 1e9, static_cast<unsigned long long>(result.hash));
  return result.broken.empty();
}

mcplane::sim::Sabotage sabotage_of(const std::string& name) {
  for (std::size_t i = 0; i < mcplane::sim::kSabotageNames.size(); ++i)
    if (mcplane::sim::kSabotageNames[i] == name) return static_cast<mcplane::sim::Sabotage>(i);
  throw CLI::ValidationError("--sabotage", name + ": unknown");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Deterministic simulation of clients, workers and the broker on a faulty network");
  std::uint64_t seed = 1;
  std::vector<std::uint64_t> seeds;
  std::string sabotage = "none";
  bool trace = false;
  app.add_option("--seed", seed, "Run one seed");
  app.add_option("--seeds", seeds, "FROM COUNT: run many")->expected(2);
  app.add_option("--sabotage", sabotage, "Break the harness on purpose");
  app.add_flag("--trace", trace, "Print every event");
  mcplane::sim::Sabotage what{};
  try {
    app.parse(argc, argv);
    what = sabotage_of(sabotage);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const std::uint64_t first = seeds.empty() ? seed : seeds[0], count = seeds.empty() ? 1 : seeds[1];
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t broken = 0;
  for (std::uint64_t i = first; i < first + count; ++i) {
    Options options = mcplane::sim::draw(i);
    options.sabotage = what;
    if (!run_seed(i, options, trace, count == 1, broken == 0)) ++broken;
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  if (count > 1)
    std::printf("%llu seeds from %llu: %llu broke an invariant, %.1f ms a seed\n",
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(first),
                static_cast<unsigned long long>(broken), took.count() / static_cast<double>(count));
  return broken == 0 ? 0 : 1;
}
