// Pools as GET /v1/autoscale tells them: what their workers are, what waits for them, and how many there should be.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

#include <nlohmann/json.hpp>

#include "control/reports/autoscale_report.h"
#include "control_fixture.h"

namespace mcplane::control {
namespace {

using nlohmann::json;

class AutoscalingTest : public ControlTest {
 protected:
  // Of the one pool of production.
  json pool() {
    run(10);
    control->count_waiting();
    const json pools = json::parse(autoscale_json(*control))["pools"];
    EXPECT_EQ(pools.size(), 1U) << pools;
    return pools.at(0);
  }
  void hold(WorkerId worker, int tasks) {
    for (int i = 0; i < tasks; ++i) ASSERT_TRUE(shared->workers.try_acquire(worker));
  }
  // So many tasks of some selector wait at the shard.
  void queue(std::size_t shard, std::size_t place, std::uint32_t tasks) {
    state::WaitingAt& at = shared->shards[shard]->waiting[place];
    at.pool = control->pools().all().begin()->second->key;
    at.tasks = tasks;
  }
};

TEST_F(AutoscalingTest, APoolIsItsWorkersAndWhatWaits) {
  start(2);
  join_worker(worker_hello(1'000));
  join_worker(worker_hello(1'001));
  HelloSpec shadow = worker_hello(1'002);
  shadow.body.service = wire::Service::kShadowWorker;
  join_worker(shadow);
  hold(WorkerId{0}, 3);
  hold(WorkerId{1}, 1);
  queue(0, 5, 3);
  queue(1, 900, 1);
  shared->shards[1]->waiting[7].tasks = 50;  // for nobody
  EXPECT_EQ(pool(), json::parse(R"({"actions":["generate"],"models":[],"tags":[],"workers":2,"ready":2,"slots":6,)"
                                R"("in_flight":4,"queued":4,"utilisation":1.333,"recommended":4,"desired":4})"));
}

TEST_F(AutoscalingTest, WhoIsOutIsNotReady) {
  start();
  const SessionId out = join_worker(worker_hello(1'000));
  join_worker(worker_hello(1'001));
  hold(WorkerId{1}, 3);
  ASSERT_EQ(control->force_breaker(out, BreakerMode::kForcedOpen), "");
  const json one = pool();
  EXPECT_EQ(one["workers"], 2);
  EXPECT_EQ(one["ready"], 1);
  EXPECT_EQ(one["utilisation"], 1);
  EXPECT_EQ(one["recommended"], 2) << "the other may come back";
  queue(0, 0, 6);
  EXPECT_EQ(pool()["recommended"], 4);
}

TEST_F(AutoscalingTest, FewerAreWantedAfterTheWindowOnly) {
  start();
  for (std::uint16_t i = 0; i < 4; ++i) join_worker(worker_hello(static_cast<std::uint16_t>(1'000 + i)));
  paused = {true};  // nobody's lease runs
  const json before = pool();
  EXPECT_EQ(before["recommended"], 0);
  EXPECT_EQ(before["desired"], 4);
  const auto pass = [this](std::uint64_t seconds) {
    for (const std::uint64_t end_ns = now_ns + seconds * kNsPerSecond; now_ns < end_ns;) {
      now_ns += kNsPerSecond;
      poll();
    }
  };
  pass(299);
  EXPECT_EQ(pool()["desired"], 4);
  pass(10);
  EXPECT_EQ(pool()["desired"], 1);
}

TEST_F(AutoscalingTest, SettingsHoldAtOnce) {
  start();
  join_worker(worker_hello(1'000));
  hold(WorkerId{0}, 3);
  auto settings = std::make_shared<Settings>();
  settings->autoscale = {.target = 0.1, .max = 7};
  control->apply(settings);
  const json one = pool();
  EXPECT_EQ(one["recommended"], 10);
  EXPECT_EQ(one["desired"], 7);
}

}  // namespace
}  // namespace mcplane::control
