// The harness itself: a seed is a run, and what is broken on purpose is found, by the oracle whose business it is.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "run.h"
#include "swarm.h"

namespace mcplane::sim {
namespace {

TEST(Simulation, OneSeedIsOneRun) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
    const Result first = run(draw(seed)), second = run(draw(seed));
    EXPECT_EQ(first.broken, "");
    EXPECT_EQ(first.hash, second.hash);
    EXPECT_EQ(first.events, second.events);
    EXPECT_GE(first.tasks, 1'000U);
  }
}

TEST(Simulation, EverySeedIsAnotherRun) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) hashes.insert(run(draw(seed)).hash);
  EXPECT_EQ(hashes.size(), 10U);
}

// Without faults and with room for all, every task that somebody serves is answered.
TEST(Simulation, ASoundNetworkLosesNothing) {
  Options options = draw(1);
  options.sizes = {.shards = 2, .queues = 2, .clients = 4, .workers = 4, .buffers = 4'096};
  options.faults = {};
  options.load = {.burst_max = 4, .ttl_min_ms = 1'000, .ttl_max_ms = 2'000, .selectors = 1};
  options.drain_broker = false;
  const Result result = run(options);
  EXPECT_EQ(result.broken, "");
  EXPECT_EQ(result.delivered, result.tasks);
}

struct Planted {
  Sabotage what;
  const char* oracle;  // how its words begin
};

class SabotageTest : public ::testing::TestWithParam<Planted> {};

TEST_P(SabotageTest, IsFoundByItsOracle) {
  Options options = draw(18);
  ASSERT_EQ(run(options).broken, "");
  options.sabotage = GetParam().what;
  const Result result = run(options);
  EXPECT_EQ(result.broken.substr(0, std::string_view(GetParam().oracle).size()), GetParam().oracle) << result.broken;
  EXPECT_NE(result.last, "");
}

INSTANTIATE_TEST_SUITE_P(
    All, SabotageTest,
    ::testing::Values(Planted{Sabotage::kDeliverTwice, "2 one outcome"}, Planted{Sabotage::kRunTwice, "3 at most once"},
                      Planted{Sabotage::kWithholdBuffer, "4, 8, 10, 12 nothing is left: 10 buffers"},
                      Planted{Sabotage::kSwallowOutcome, "1 outcome in time"},
                      Planted{Sabotage::kMisdeliver, "9 only to the session that sent"},
                      Planted{Sabotage::kStealSlot, "4, 5, 8, 10, 12 full sweep: worker slots taken"},
                      Planted{Sabotage::kDenyExecution, "3 executed=no"},
                      Planted{Sabotage::kMiscountFrame, "12 every frame is counted once"},
                      Planted{Sabotage::kRouteElsewhere, "3 at most once"},
                      Planted{Sabotage::kCorruptAnswer, "9 the answer to this task"}),
    [](const auto& test) {
      std::string name(kSabotageNames[static_cast<std::size_t>(test.param.what)]);
      std::ranges::replace(name, '-', '_');
      return name;
    });

}  // namespace
}  // namespace mcplane::sim
