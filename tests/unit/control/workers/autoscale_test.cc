// What is recommended in the published cases of the Horizontal Pod Autoscaler, and what its windows make of it.
#include "control/workers/autoscale.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace mcplane::control {
namespace {

constexpr std::uint64_t kMinuteNs = 60 * kNsPerSecond;

// Workers of 1,000 slots each, as the cases have pods that request 1,000 mCPU each.
PoolCensus::Workers workers(const std::vector<std::uint64_t>& in_flight) {
  PoolCensus::Workers sum;
  for (const std::uint64_t tasks : in_flight) {
    ++sum.count;
    sum.slots += 1'000;
    sum.in_flight += tasks;
  }
  return sum;
}

struct Case {
  const char* name;
  std::vector<std::uint64_t> ready, unready;  // their levels
  std::uint32_t unknown = 0;                  // without metrics
  int target_percent = 100;
  std::uint32_t replicas = 0;
};

// pkg/controller/podautoscaler/replica_calculator_test.go of Kubernetes, its cases of CPU. A pod that is hot, or not
// ready, is unready here.
TEST(Autoscale, AgreesWithTheReplicaCalculator) {
  const std::vector<Case> cases = {{"ScaleUp", {300, 500, 700}, {}, 0, 30, 5},
                                   {"ScaleUpUnreadyLessScale", {500, 700}, {300}, 0, 30, 4},
                                   {"ScaleUpUnreadyNoScale", {400}, {500, 700}, 0, 30, 3},
                                   {"ScaleUpIgnoresFailedPods", {500, 700}, {}, 0, 30, 4},
                                   {"ScaleDown", {100, 300, 500, 250, 250}, {}, 0, 50, 3},
                                   {"ScaleDownIncludeUnreadyPods", {100, 300, 500}, {250, 250}, 0, 50, 2},
                                   {"ScaleDownExcludeUnscheduledPods", {100}, {0, 0, 0, 0}, 0, 50, 1},
                                   {"Tolerance", {1'010, 1'030, 1'020}, {}, 0, 100, 3},
                                   {"SuperfluousMetrics", {4'000, 9'500, 3'000, 7'000}, {}, 0, 100, 24},
                                   {"MissingMetrics", {400, 95}, {}, 2, 100, 3},
                                   {"MissingMetricsNoChangeEq", {1'000}, {}, 1, 100, 2},
                                   {"MissingMetricsNoChangeGt", {1'900}, {}, 1, 100, 2},
                                   {"MissingMetricsNoChangeLt", {600}, {}, 1, 100, 2},
                                   {"MissingMetricsUnreadyChange", {450}, {100}, 1, 50, 3},
                                   {"MissingMetricsUnreadyScaleUp", {2'000}, {100}, 1, 50, 4},
                                   {"MissingMetricsUnreadyScaleDown", {100, 100}, {100}, 1, 50, 3}};
  for (const Case& one : cases) {
    const PoolCensus pool{workers(one.ready), workers(one.unready),
                          workers(std::vector<std::uint64_t>(one.unknown, 0))};
    EXPECT_EQ(recommended(pool, 0, {.target = one.target_percent / 100.0}), one.replicas) << one.name;
  }
}

// kubernetes.io, "Algorithm details": 200m where 100m is wanted doubles the replicas, 50m halves them; and the blog on
// configurable tolerance (April 28, 2025): 50 replicas at 90 % with a target of 75 % become 60.
TEST(Autoscale, AgreesWithTheDocumentation) {
  const auto many = [](std::uint32_t count, std::uint64_t each) {
    return PoolCensus{workers(std::vector<std::uint64_t>(count, each)), {}, {}};
  };
  EXPECT_EQ(recommended(many(4, 200), 0, {.target = 0.1}), 8U);
  EXPECT_EQ(recommended(many(4, 50), 0, {.target = 0.1}), 2U);
  EXPECT_EQ(recommended(many(50, 900), 0, {.target = 0.75}), 60U);
  EXPECT_EQ(recommended(many(50, 900), 0, {.target = 0.75, .tolerance = 0.25}), 50U);
  EXPECT_EQ(recommended(many(50, 760), 0, {.target = 0.75, .tolerance = 0}), 51U);
}

TEST(Autoscale, WhatWaitsIsWork) {
  const PoolCensus pool{workers({1'000, 1'000}), {}, {}};
  EXPECT_EQ(utilisation(pool, 1'000), 1.5);
  EXPECT_EQ(recommended(pool, 0, {.target = 1}), 2U);
  EXPECT_EQ(recommended(pool, 1'000, {.target = 1}), 3U);
}

TEST(Autoscale, WithoutAReadyWorkerNothingIsKnown) {
  const PoolCensus pool{{}, workers({0, 0}), workers({0})};
  EXPECT_EQ(utilisation(pool, 50), 0);
  EXPECT_EQ(recommended(pool, 50, {}), 3U);
  EXPECT_EQ(recommended({}, 0, {}), 0U);
}

struct Past {
  const char* name;
  std::vector<std::pair<std::uint32_t, int>> kept;  // workers, minutes ago
  std::uint32_t current, recommended, desired;
};

// pkg/controller/podautoscaler/horizontal_test.go: TestNormalizeDesiredReplicas (of which each has as many replicas as
// it last wanted, or none wanted) and TestStabilizeDownscale.
TEST(Autoscale, StabilisesAsThePublishedCases) {
  const std::vector<Past> cases = {{"empty log", {}, 5, 5, 5},
                                   {"stabilize", {{4, 2}, {5, 1}}, 5, 3, 5},
                                   {"no stabilize", {{1, 2}, {2, 1}}, 2, 3, 3},
                                   {"no stabilize - old recommendations", {{10, 10}, {9, 9}}, 9, 3, 3},
                                   {"stabilize - old recommendations", {{10, 10}, {9, 9}, {5, 2}, {4, 1}}, 5, 3, 5},
                                   {"StabilizeDownscale", {{10, 10}, {4, 1}}, 4, 2, 4}};
  const std::uint64_t now_ns = 60 * kMinuteNs;
  for (const Past& past : cases) {
    Recommendations recommendations;
    for (const auto& [kept, minutes] : past.kept)
      recommendations.add(kept, kept, now_ns - static_cast<std::uint64_t>(minutes) * kMinuteNs, {});
    EXPECT_EQ(recommendations.desired(past.current, past.recommended, now_ns, {}), past.desired) << past.name;
  }
}

TEST(Autoscale, AWindowForMoreWaitsForTheLeastOfIt) {
  const AutoscaleSettings settings{.up_window_ns = kMinuteNs};
  Recommendations recommendations;
  recommendations.add(2, 6, kMinuteNs, settings);
  EXPECT_EQ(recommendations.desired(2, 6, kMinuteNs, settings), 2U) << "there were 2 when it began";
  recommendations.add(2, 4, 3 * kMinuteNs / 2, settings);
  EXPECT_EQ(recommendations.desired(2, 6, 2 * kMinuteNs + 1, settings), 4U);
  EXPECT_EQ(recommendations.desired(2, 6, 3 * kMinuteNs, settings), 6U);
}

TEST(Autoscale, AStartTakesNobodyAway) {
  Recommendations recommendations;
  recommendations.add(8, 1, kMinuteNs, {});
  EXPECT_EQ(recommendations.desired(8, 1, 2 * kMinuteNs, {}), 8U);
  for (std::uint64_t at_ns = 2 * kMinuteNs; at_ns < 6 * kMinuteNs; at_ns += kMinuteNs)
    recommendations.add(8, 1, at_ns, {});
  EXPECT_EQ(recommendations.desired(8, 1, 6 * kMinuteNs, {}), 1U);
}

TEST(Autoscale, StaysWithinItsBounds) {
  const AutoscaleSettings settings{.down_window_ns = 0, .min = 2, .max = 4};
  const Recommendations none;
  EXPECT_EQ(none.desired(3, 0, 0, settings), 2U);
  EXPECT_EQ(none.desired(3, 9, 0, settings), 4U);
}

}  // namespace
}  // namespace mcplane::control
