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

// Workers die under tasks that may run again: all are answered.
TEST(Simulation, IdempotentTasksOutliveTheirWorkers) {
  Options options = draw(2);
  options.sizes = {.shards = 2, .queues = 2, .clients = 4, .workers = 5, .buffers = 4'096};
  options.faults = {};
  options.faults.mishap_interval_ns = 10 * kNsPerMs;
  options.faults.mishaps[static_cast<std::size_t>(Mishap::kWorkerCrash)] = true;
  options.faults.down_max_ns = 50 * kNsPerMs;
  options.load = {.tasks = 2'000,
                  .interval_ns = 9 * kNsPerMs,
                  .ttl_min_ms = 30'000,
                  .ttl_max_ms = 40'000,
                  .selectors = 1,
                  .idempotent = 1};
  options.promise = Promise::kDelivery;
  options.drain_broker = false;
  const Result result = run(options);
  EXPECT_EQ(result.broken, "");
  EXPECT_EQ(result.delivered, result.tasks);
  EXPECT_GT(result.coverage.mishaps[static_cast<std::size_t>(Mishap::kWorkerCrash)], 5U);
  EXPECT_GT(result.coverage.executed_again, 0U);
}

// Whatever a seed can draw, some of a few hundred do, and it happens.
TEST(Simulation, TheSwarmDrawsEverything) {
  Coverage all;
  Faults most;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const Options options = draw(seed);
    most.loss = std::max(most.loss, options.faults.loss);
    most.duplicate = std::max(most.duplicate, options.faults.duplicate);
    most.reorder = std::max(most.reorder, options.faults.reorder);
    most.corrupt = std::max(most.corrupt, options.faults.corrupt);
    most.delay_max_ns = std::max(most.delay_max_ns, options.faults.delay_max_ns);
    most.clog_max_ns = std::max(most.clog_max_ns, options.faults.clog_max_ns);
    all += run(options).coverage;
  }
  for (std::size_t i = 0; i < kMishaps; ++i) EXPECT_GT(all.mishaps[i], 0U) << kMishapNames[i];
  for (const DropReason reason : {DropReason::kBadUdpChecksum, DropReason::kUnknownSession, DropReason::kDuplicate,
                                  DropReason::kStaleSequence, DropReason::kStaleToken, DropReason::kHandoffFull})
    EXPECT_GT(all.dropped[static_cast<std::size_t>(reason)], 0U) << name_of(reason);
  EXPECT_GT(all.no_buffer, 0U);
  EXPECT_GT(all.not_taken, 0U);
  EXPECT_GT(all.again, 0U);
  EXPECT_GT(all.resends, 0U);
  EXPECT_GT(all.broker_lost, 0U);
  EXPECT_GT(all.cancelled, 0U);
  EXPECT_GT(all.executed_again, 0U);
  EXPECT_GT(all.polls_out, 0U);
  EXPECT_GT(all.polls_down, 0U);
  EXPECT_GT(all.probes, 0U);
  EXPECT_GT(all.skill_probes, 0U);
  for (std::size_t kind = 1; kind < wire::kSubstitutes; ++kind)
    EXPECT_GT(all.degraded[kind], 0U) << wire::kSubstituteNames[kind];
  EXPECT_GT(all.shadow, 0U);
  EXPECT_GT(all.copied, 0U);
  EXPECT_GT(all.asked, 0U);
  EXPECT_GT(all.events, 0U);
  EXPECT_GT(most.loss, 0.27);
  EXPECT_GT(most.duplicate, 0.45);
  EXPECT_GT(most.reorder, 0.45);
  EXPECT_GT(most.corrupt, 0.045);
  EXPECT_GT(most.delay_max_ns, kNsPerSecond);
  EXPECT_GT(most.clog_max_ns, 4 * kNsPerSecond);
}

struct Broken {
  Sabotage what;
  const char* oracle;  // how its words begin
};

class SabotageTest : public ::testing::TestWithParam<Broken> {};

TEST_P(SabotageTest, IsFoundByItsOracle) {
  Options options = draw(18);
  ASSERT_EQ(run(options).broken, "");
  options.sabotage = GetParam().what;
  const Result result = run(options);
  EXPECT_EQ(result.broken.substr(0, std::string_view(GetParam().oracle).size()), GetParam().oracle) << result.broken;
  EXPECT_NE(result.last, "");
}

INSTANTIATE_TEST_SUITE_P(All, SabotageTest,
                         ::testing::Values(Broken{Sabotage::kDeliverTwice, "2 one outcome"},
                                           Broken{Sabotage::kRunTwice, "3 an attempt runs once"},
                                           Broken{Sabotage::kWithholdBuffer,
                                                  "4, 8, 10, 12 nothing is left: 10 buffers"},
                                           Broken{Sabotage::kSwallowOutcome, "1 outcome in time"},
                                           Broken{Sabotage::kMisdeliver, "9 only to the session that sent"},
                                           Broken{Sabotage::kStealSlot, "5 outstanding within bound"},
                                           Broken{Sabotage::kDenyExecution, "3 executed=no"},
                                           Broken{Sabotage::kMiscountFrame, "12 every frame is counted once"},
                                           Broken{Sabotage::kRouteElsewhere, "3 at most once"},
                                           Broken{Sabotage::kCorruptAnswer, "9 the answer to this task"}),
                         [](const auto& test) {
                           std::string name(kSabotageNames[static_cast<std::size_t>(test.param.what)]);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace mcplane::sim
