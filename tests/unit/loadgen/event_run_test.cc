// Whole runs of events over loopback sockets, against a broker of the test's own.
#include "loadgen/event_run.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/broker_address.h"
#include "support/mini_broker.h"

namespace mcplane::loadgen {
namespace {

Options options_of(const test::MiniBroker& broker) {
  Options options;
  options.broker = client::parse_broker_address(broker.address());
  options.events = true;
  options.clients = 2;
  options.subscribers = 5;
  options.topics = 2;
  options.window = 2;
  options.tasks = 100;
  options.warmup_ns = 0;
  options.duration_ns = 10 * kNsPerSecond;
  return options;
}

EventResult run(const Options& options) {
  Progress progress;
  const std::atomic<bool> stop{false};
  return run_events(options, progress, stop);
}

TEST(EventRun, EveryEventReachesEverySubscriberOfItsTopic) {
  const test::MiniBroker broker;
  for (const double rate : {0.0, 1'000.0}) {
    Options options = options_of(broker);
    options.rate_per_second = rate;
    const EventResult result = run(options);
    ASSERT_EQ(result.status, RunStatus::kFinished) << result.problem;
    EXPECT_EQ(result.tally.published, 100U);
    EXPECT_EQ(result.tally.delivered, 250U);
    EXPECT_EQ(result.tally.lost + result.tally.mismatched + result.tally.duplicates + result.tally.missed, 0U);
    EXPECT_TRUE(objective_met(result));
    EXPECT_GT(result.tally.measured_rate(), 0);
    const auto json = nlohmann::json::parse(json_of(options, result, "mcplane-load"));
    EXPECT_EQ(json["delivered"], 250);
    EXPECT_EQ(json["latency_us"]["count"], 250);
    EXPECT_EQ(json["loop"], rate > 0 ? "open" : "closed");
    EXPECT_NE(table_of(options, result).find("delivered                           250\n"), std::string::npos);
  }
}

TEST(EventRun, ARepeatedEventIsNoticedByTheEnginesAlready) {
  test::MiniBroker broker;
  broker.repeat_events();
  const EventResult result = run(options_of(broker));
  EXPECT_EQ(result.tally.delivered, 250U);
  EXPECT_GE(result.tally.repeated_frames, 200U) << "the last ones may come when it is over";
  EXPECT_EQ(result.tally.duplicates, 0U);
}

TEST(EventRun, LostAndDamagedOnesAreFound) {
  test::MiniBroker broker;
  broker.drop_next_event();
  Options options = options_of(broker);
  EventResult result = run(options);
  EXPECT_EQ(result.tally.lost, 1U);
  EXPECT_EQ(result.tally.delivered, 249U);
  EXPECT_FALSE(objective_met(result));
  EXPECT_NE(remarks_on(options, result).find("1 deliveries were not there after a second"), std::string::npos);
  broker.damage_next_event();
  result = run(options);
  EXPECT_EQ(result.tally.mismatched, 1U);
  EXPECT_EQ(result.tally.lost, 1U) << "it is not what was sent, which did not come";
  EXPECT_FALSE(objective_met(result));
}

TEST(EventRun, ARefusedSubscriptionEndsIt) {
  test::MiniBroker broker;
  broker.refuse_subscriptions();
  const EventResult result = run(options_of(broker));
  EXPECT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.problem, broker.address() + " refuses a subscription: table_full");
}

TEST(EventRun, ObjectivesAreHeldAgainstDeliveries) {
  EventResult result;
  result.tally.measured = 900;
  result.tally.measured_ns = kNsPerSecond;
  result.tally.latency.record(2'000'000);
  Options options;
  options.objectives = {.p99_max_ns = 1'000'000, .rate_min_per_second = 1'000};
  EXPECT_EQ(missed_objectives(options, result).size(), 2U);
  options.objectives = {.p99_max_ns = 3'000'000, .rate_min_per_second = 800};
  EXPECT_TRUE(missed_objectives(options, result).empty());
}

}  // namespace
}  // namespace mcplane::loadgen
