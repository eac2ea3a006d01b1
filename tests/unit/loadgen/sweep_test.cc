// The search for the knee, against brokers whose capacity is known, and a whole sweep in virtual time.
#include "loadgen/sweep.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "fake_world.h"
#include "loadgen/run_steps.h"

namespace mcplane::loadgen {
namespace {

// Answers up to `capacity`; its p99 is 100 us at half of that and grows as a queue's does.
SweepStep step_at(double rate, double capacity) {
  const double load = rate / capacity;
  SweepStep step{.rate_per_second = rate, .offered_per_second = rate, .achieved_per_second = std::min(rate, capacity)};
  step.p99_ns = load < 1 ? static_cast<std::uint64_t>(50e3 / (1 - load)) : kNsPerSecond;
  return step;
}

KneeSearch searched(const SweepRange& range, double capacity, std::uint64_t p99_max_ns = 0) {
  KneeSearch search(range, p99_max_ns);
  for (auto rate = search.next_rate(); rate; rate = search.next_rate()) search.add(step_at(*rate, capacity));
  return search;
}

TEST(KneeSearch, FindsTheCapacityToFivePercent) {
  for (const double capacity : {11e3, 33e3, 100e3, 499e3}) {
    const KneeSearch search = searched({10e3, 1e6}, capacity, kNsPerSecond / 2);
    EXPECT_LE(search.knee_per_second(), capacity);
    EXPECT_GE(search.knee_per_second(), capacity / KneeSearch::kPrecision) << capacity;
    EXPECT_LE(search.steps().size(), 13U);
  }
}

TEST(KneeSearch, ABoundOfThePercentileIsReachedBeforeTheCapacity) {
  // 50 us / (1 - load) is 500 us at 90 % load.
  const KneeSearch search = searched({1e3, 1e6}, 100e3, 500 * kNsPerUs);
  EXPECT_LE(search.knee_per_second(), 90.1e3);
  EXPECT_GE(search.knee_per_second(), 90e3 / KneeSearch::kPrecision);
}

TEST(KneeSearch, WithoutABoundTenTimesTheLowestRatesPercentileIsOne) {
  const KneeSearch search = searched({1e3, 1e6}, 100e3);
  EXPECT_NEAR(static_cast<double>(search.p99_max_ns()), 505e3, 1e3);
  EXPECT_LE(search.knee_per_second(), 90.2e3);
}

TEST(KneeSearch, EndsWithTheRangeWhenEverythingHolds) {
  const KneeSearch search = searched({10e3, 50e3}, 1e9);
  EXPECT_EQ(search.knee_per_second(), 50e3);
  EXPECT_EQ(search.steps().back().rate_per_second, 50e3);
  EXPECT_EQ(search.steps().size(), 4U);
}

TEST(KneeSearch, EndsAtOnceWhenNothingHolds) {
  const KneeSearch search = searched({10e3, 50e3}, 5e3);
  EXPECT_EQ(search.knee_per_second(), 0);
  EXPECT_EQ(search.steps().size(), 1U);
}

TEST(KneeSearch, ALostTaskFailsARate) {
  KneeSearch search({10e3, 50e3}, kNsPerSecond);
  SweepStep step = step_at(10e3, 1e9);
  step.lost = 1;
  EXPECT_FALSE(search.add(step));
}

// The fleets' world as a carrier of run steps.
class WorldCarrier {
 public:
  explicit WorldCarrier(FakeWorld& world) : world_(world) {}
  ClientFleet& clients() noexcept { return world_.clients(); }
  ClientFleet* surge() noexcept { return nullptr; }
  std::size_t workers_registered() noexcept { return world_.workers_registered(); }
  const WorkerTasks& worker_tasks() noexcept { return world_.worker_tasks(); }
  std::uint64_t now_ns() const noexcept { return world_.now_ns(); }
  template <class Finished>
  void drive(Finished finished) {
    while (!finished()) world_.step();
  }
  void begin_metering() noexcept {}
  CpuUse cpu() const noexcept { return {.clients = 0.5}; }
  std::string unreachable() const { return "nobody"; }

 private:
  FakeWorld& world_;
};

Options sweep_options() {
  Options options;
  options.broker = FakeWorld::broker_endpoint();
  options.clients = 4;
  options.warmup_ns = 50 * kNsPerMs;
  options.duration_ns = 200 * kNsPerMs;
  options.prompt_bytes = 64;
  options.ttl_ns = 5 * kNsPerSecond;
  // Two workers of four slots, 1 ms a task: 8,000 a second.
  options.workers = 2;
  options.worker_slots = 4;
  options.service_time = {.form = ServiceTime::Form::kConstant, .mean_ns = kNsPerMs};
  options.sweep = SweepRange{500, 64'000};
  options.rate_per_second = 64'000;
  return options;
}

TEST(Sweep, OneRegistrationFindsWhatTheWorkersCanDo) {
  const Options options = sweep_options();
  FakeWorld world(options, {});
  WorldCarrier carrier(world);
  const std::atomic<bool> stop{false};
  const RunResult result = RunSteps(carrier, options, stop).run();
  ASSERT_EQ(result.status, RunStatus::kFinished) << result.problem;
  EXPECT_LE(result.knee_per_second, 8'100);
  EXPECT_GE(result.knee_per_second, 7'000);
  EXPECT_GE(result.sweep.size(), 6U);
  // Every step's tasks are counted, and the knee's are measured.
  EXPECT_EQ(result.tally.delivered() + result.tally.refused() + result.tally.lost(), result.tally.sent);
  EXPECT_EQ(result.tally.sent, world.broker().sends_seen());
  EXPECT_NEAR(static_cast<double>(result.tally.latency.count()), result.knee_per_second / 5, 20);
  EXPECT_TRUE(missed_objectives(options, result).empty());
  Options demanding = options;
  demanding.objectives.rate_min_per_second = 20'000;
  EXPECT_EQ(missed_objectives(demanding, result).size(), 1U);
}

TEST(Sweep, AnInterruptedStepIsNotJudged) {
  Options options = sweep_options();
  FakeWorld world(options, {});
  WorldCarrier carrier(world);
  std::atomic<bool> stop{false};
  world.run_until_registered();
  RunSteps steps(carrier, options, stop);
  world.at(world.now_ns() + 300 * kNsPerMs + 80 * kNsPerMs, [&] { stop.store(true); });
  const RunResult result = steps.run();
  EXPECT_TRUE(result.interrupted);
  EXPECT_LE(result.sweep.size(), 1U);
  EXPECT_EQ(result.tally.delivered(), result.tally.sent);
}

}  // namespace
}  // namespace mcplane::loadgen
