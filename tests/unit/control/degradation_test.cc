// When routes are degraded, as people see it and as cores are told.
#include <nlohmann/json.hpp>

#include "control/reports/degradation_report.h"
#include "control_fixture.h"

namespace mcplane::control {
namespace {

using wire::Substitute;

class ControlDegradationTest : public ControlTest {
 protected:
  static std::shared_ptr<const Settings> with(std::vector<Substitute> chain, DegradeWhen when = DegradeWhen::kAuto) {
    Settings settings;
    RouteSettings& route = settings.routes.emplace_back();
    route.action = "generate";
    route.degrade = {
        .chain = std::move(chain), .when = when, .reply = "later", .fallback_action = "", .fallback_model = ""};
    return std::make_shared<const Settings>(settings);
  }
  void start_with(std::vector<Substitute> chain, DegradeWhen when = DegradeWhen::kAuto) {
    options.config.settings = with(std::move(chain), when);
    start();
    run(10);
  }
  // The worker is heard from all the while.
  void pass(std::uint64_t ms) {
    for (; ms > 0; ms -= 10) {
      if (worker) hear(worker);
      run(10);
    }
  }
  state::RouteRule rule() const { return routes().rule_of("generate", ""); }
  nlohmann::json shown() const { return nlohmann::json::parse(degradation_json(*control))["routes"].at(0); }
  std::string why() const { return shown()["why"]; }

  SessionId worker;
};

TEST_F(ControlDegradationTest, ARouteIsDegradedWhileNoneOfItsWorkersIsIn) {
  start_with({Substitute::Reply});
  EXPECT_EQ(why(), "no worker");
  HelloSpec other = worker_hello(1'001, 1, {"embed"});
  join_worker(other);
  pass(200);
  EXPECT_EQ(why(), "no worker");
  worker = join_worker(worker_hello());
  pass(200);
  EXPECT_EQ(why(), "");
  EXPECT_FALSE(shown()["degraded"]);
  punt_bye(worker, worker_hello().peer);
  pass(200);
  EXPECT_EQ(why(), "no worker");
  EXPECT_LE(shown()["since_ms"], 200);
}

TEST_F(ControlDegradationTest, BreakersThatAreOpenCountAsOut) {
  start_with({Substitute::Reply});
  worker = join_worker(worker_hello());
  pass(200);
  const auto trusted = [this] { return routes().pool(0).load->trusted.load(); };
  EXPECT_EQ(trusted(), 1U);
  ASSERT_EQ(control->force_breaker(worker, BreakerMode::kForcedOpen), "");
  EXPECT_EQ(trusted(), 0U);
  pass(200);
  EXPECT_EQ(why(), "breakers open");
  control->force_breaker(worker, BreakerMode::kAuto);
  pass(200);
  EXPECT_EQ(control->breakers()[WorkerId{0}].state(), BreakerState::kHalfOpen);
  EXPECT_EQ(trusted(), 0U) << "it takes probes, and is out for all others";
  EXPECT_EQ(routes().pool(0).load->admitting.load(), 1U);
  EXPECT_EQ(why(), "breakers half-open");
  control->force_breaker(worker, BreakerMode::kForcedClosed);
  EXPECT_EQ(trusted(), 1U);
  pass(200);
  EXPECT_EQ(why(), "");
}

TEST_F(ControlDegradationTest, ACommandHoldsUntilItIsTakenBack) {
  start_with({Substitute::Reply});
  worker = join_worker(worker_hello());
  pass(200);
  EXPECT_FALSE(rule().degraded);
  EXPECT_TRUE(control->force_degradation("generate", DegradeWhen::kAlways));
  EXPECT_EQ(why(), "command");
  EXPECT_EQ(shown()["command"], "on");
  pass(10);
  EXPECT_TRUE(rule().degraded);
  // Another text that says nothing of it.
  control->apply(with({Substitute::Reply, Substitute::Skip}));
  pass(10);
  EXPECT_TRUE(rule().degraded);
  EXPECT_TRUE(control->force_degradation("generate", DegradeWhen::kNever));
  pass(10);
  EXPECT_EQ(rule().degradation, state::kNoDegradation);
  EXPECT_TRUE(control->force_degradation("generate", std::nullopt));
  pass(10);
  EXPECT_FALSE(rule().degraded);
  EXPECT_NE(rule().degradation, state::kNoDegradation);
  EXPECT_FALSE(control->force_degradation("embed", DegradeWhen::kAlways)) << "no such route";
}

TEST_F(ControlDegradationTest, WhatIsConfiguredGoesBackByItself) {
  start_with({Substitute::Reply});
  worker = join_worker(worker_hello());
  pass(200);
  ConfigDocument document;
  document.settings = with({Substitute::Reply}, DegradeWhen::kAlways);
  control->config().apply(document, {.by = "", .how = "apply", .unix_s = 0}, now_ns, 100 * kNsPerMs);
  pass(20);
  EXPECT_TRUE(rule().degraded);
  EXPECT_EQ(why(), "configuration");
  pass(300);
  EXPECT_FALSE(rule().degraded);
  EXPECT_EQ(why(), "");
}

TEST_F(ControlDegradationTest, CoresAreToldTheWholeChain) {
  Settings settings = *with({Substitute::Cached, Substitute::Fallback, Substitute::Reply});
  settings.routes[0].degrade.fallback_model = "tiny";
  settings.routes[0].degrade.cache_ttl_ns = 3 * kNsPerSecond;
  options.config.settings = std::make_shared<const Settings>(settings);
  start();
  pass(10);
  EXPECT_EQ(rule().cache_ttl_ms, 3'000U);
  const state::Degradation& how = routes().degradation(rule().degradation);
  EXPECT_EQ(how.chain[0], Substitute::Cached);
  EXPECT_EQ(how.chain[1], Substitute::Fallback);
  EXPECT_EQ(how.chain[2], Substitute::Reply);
  EXPECT_EQ(how.chain[3], Substitute::None);
  EXPECT_EQ(how.action, "");
  EXPECT_EQ(how.model, "tiny");
  EXPECT_FALSE(how.reply.empty());
  EXPECT_EQ(routes().rule_of("embed", "").degradation, state::kNoDegradation);
}

}  // namespace
}  // namespace mcplane::control
