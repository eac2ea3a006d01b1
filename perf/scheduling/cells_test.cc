// The production scheduler in a cluster of 16 workers at 80 % load against the ideal: one cell a target.
#include "cells.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "control/config/options.h"
#include "loadgen/schedule.h"
#include "reference.h"

namespace mcplane::perf {
namespace {

constexpr std::uint32_t kTasks = 200'000;
const double kLookAheadMax = control::ControlOptions{}.look_ahead_max;
const Scheduler kUsual{"usual", state::Policy::kLeastOutstanding, kLookAheadMax, 1};
const Scheduler kSlotsOnly{"slots only", state::Policy::kLeastOutstanding, 0, 1};

Outcome outcome_of(const Scheduler& scheduler, ServiceForm service, double delay, std::uint32_t shards = 1) {
  return run_cell(
      {.scheduler = scheduler, .service = service, .slots = 1, .delay = delay, .shards = shards, .tasks = kTasks});
}

double p99_ratio(const Outcome& outcome) {
  EXPECT_TRUE(outcome.stable);
  return outcome.cluster.p99 / outcome.ideal.p99;
}

TEST(Scheduling, WithoutDelayItIsTheIdeal) {
  for (const ServiceForm service : kServiceForms) {
    const Outcome outcome = outcome_of(kUsual, service, 0);
    EXPECT_NEAR(p99_ratio(outcome), 1.0, 0.005) << "the ideal is first in, first out, here clients take turns";
    EXPECT_EQ(outcome.bound_mean, 1.0);
  }
}

TEST(Scheduling, AQuarterServiceTimeAwayTheTailIsNear) {
  EXPECT_LE(p99_ratio(outcome_of(kUsual, ServiceForm::kExponential, 0.25)), 1.3);
  EXPECT_LE(p99_ratio(outcome_of(kUsual, ServiceForm::kBimodalMixed, 0.25)), 1.7);
}

TEST(Scheduling, ShardsShareTheWorkers) {
  const Outcome one = outcome_of(kUsual, ServiceForm::kExponential, 0.25);
  const Outcome eight = outcome_of(kUsual, ServiceForm::kExponential, 0.25, 8);
  ASSERT_TRUE(eight.stable);
  EXPECT_LE(eight.cluster.p99, 1.15 * one.cluster.p99);
}

// A slot that stands idle for two service times after each task cannot be busy for 80 % of the time.
TEST(Scheduling, AServiceTimeAwaySlotsAloneDoNotDoAndLookAheadDoes) {
  for (const ServiceForm service : kServiceForms) {
    EXPECT_FALSE(outcome_of(kSlotsOnly, service, 1).stable) << name_of(service);
    const Outcome outcome = outcome_of(kUsual, service, 1);
    EXPECT_TRUE(outcome.stable) << name_of(service);
    EXPECT_GT(outcome.bound_mean, 3.0);
    EXPECT_LE(outcome.bound_mean, 1 + kLookAheadMax);
  }
}

TEST(Scheduling, ARunIsAFunctionOfItsOptions) {
  const auto work = draw_workload({.tasks = 20'000, .warm_up = 1'000});
  const ClusterOptions options{.look_ahead_max = kLookAheadMax, .shards = 4, .delay_ns = 20 * kNsPerUs};
  const ClusterRun first = run_cluster(options, work, 1'000), second = run_cluster(options, work, 1'000);
  EXPECT_EQ(first.sojourns_ns.size(), 20'000U);
  EXPECT_EQ(first.sojourns_ns, second.sojourns_ns);
}

// perf/protection/run holds the appliance against it.
TEST(Scheduling, ACellMayHaveTheLoadGeneratorsTasks) {
  WorkloadOptions options{.service = ServiceForm::kBimodalMixed,
                          .service_mean_ns = 950 * kNsPerUs,
                          .tasks = 100'000,
                          .warm_up = 1'000,
                          .seed = 7,
                          .as_load = true};
  const auto work = draw_workload(options);
  loadgen::Schedule schedule({.per_second = 16 * 0.8 / 950e-6}, loadgen::Arrivals::kPoisson, 7);
  const loadgen::ServiceTime service{.form = loadgen::ServiceTime::Form::kBimodal,
                                     .mean_ns = 500 * kNsPerUs,
                                     .rare_ns = 5 * kNsPerMs,
                                     .rare_share = 0.1};
  Random random(7);
  ASSERT_EQ(work.size(), 101'000U);
  for (const Work& each : work) {
    ASSERT_NEAR(static_cast<double>(each.sent_ns), static_cast<double>(schedule.due_ns()), 2);
    ASSERT_EQ(each.service_ns, service.draw_ns(random));
    schedule.advance();
  }
  EXPECT_FALSE(load_cell("uniform"));
  auto cell = load_cell(name_of(ServiceForm::kBimodalMixed));
  ASSERT_TRUE(cell);
  cell->tasks = 50'000;
  EXPECT_NEAR(p99_ratio(run_cell(*cell)), 1.0, 0.02);
}

TEST(Scheduling, WhatComesFasterThanItIsServedIsUnstable) {
  const Cell cell{.scheduler = kUsual, .service = ServiceForm::kExponential, .tasks = kTasks};
  const auto work = draw_workload({.load = 1.2, .tasks = kTasks, .warm_up = 0});
  const ClusterRun run = run_cluster({.look_ahead_max = kLookAheadMax}, work, 0);
  EXPECT_TRUE(run.refused || run.left > work.size() / 10);
  EXPECT_TRUE(run_cell(cell).stable);
}

}  // namespace
}  // namespace mcplane::perf
