// From health probes to gates, the answers made up.
#include "control/reports/breaker_report.h"
#include "control/reports/report.h"
#include "control_fixture.h"
#include "fake_prober.h"

namespace mcplane::control {
namespace {

class ProbingTest : public ControlTest {
 protected:
  static constexpr WorkerId kFirst{0};
  static constexpr std::uint64_t kIntervalMs = 100;

  // So many workers of one pool, with probes of ports 1, 2, ...
  void start_with(std::uint16_t workers) {
    settings.breaker.open_ns = 30 * kNsPerMs;
    settings.breaker.jitter = 0;
    settings.probe = {
        .interval_ns = kIntervalMs * kNsPerMs, .timeout_ns = 10 * kNsPerMs, .rise = 2, .fall = 3, .jitter = 0};
    options.prober = &prober;
    options.config.settings = std::make_shared<const Settings>(settings);
    start();
    for (std::uint16_t i = 0; i < workers; ++i) ids.push_back(join_worker(hello_of(i)));
    obey();
  }
  static HelloSpec hello_of(std::uint16_t number) {
    HelloSpec hello = worker_hello(static_cast<std::uint16_t>(1'000 + number));
    hello.body.probe = {wire::ProbeKind::kHttp, static_cast<std::uint16_t>(number + 1), "/health"};
    return hello;
  }
  // That many intervals; sessions are heard from.
  void intervals(std::uint64_t count) {
    for (std::uint64_t ms = 0; ms < count * kIntervalMs; ++ms) {
      if (ms % 50 == 0)
        for (const SessionId id : ids) hear(id);
      step_ms(1);
    }
  }
  void all_say(bool good) {
    for (std::uint16_t i = 0; i < ids.size(); ++i) prober.good[static_cast<std::uint16_t>(i + 1)] = good;
  }
  const Breaker& breaker(WorkerId worker) { return control->breakers()[worker]; }
  BreakerState state_of(WorkerId worker) { return breaker(worker).state(); }
  void trial_tasks_succeed(WorkerId worker) {
    for (std::uint32_t i = 0; i < settings.breaker.probes; ++i) shared->shards[0]->outcomes.add_probe(worker);
    step_ms(1);
  }

  Settings settings;
  FakeProber prober;
  std::vector<SessionId> ids;
};

TEST_F(ProbingTest, ANewWorkerHasNoTasksBeforeItsFirstGoodAnswer) {
  start_with(1);
  EXPECT_EQ(admitted(kFirst), 0U);
  EXPECT_EQ(breaker(kFirst).reason(), BreakerReason::kAwaited);
  EXPECT_EQ(routes().pool(0).load->admitting.load(), 0U);
  intervals(10);
  EXPECT_EQ(admitted(kFirst), 0U) << "its probes fail";
  EXPECT_NE(breakers_json(*control).find("health probe awaited"), std::string::npos);
  all_say(true);
  intervals(1);
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed);
  EXPECT_EQ(admitted(kFirst), 3U);
  EXPECT_EQ(routes().pool(0).load->admitting.load(), 1U);
}

TEST_F(ProbingTest, TheWorkersOwnAddressIsAsked) {
  start_with(1);
  intervals(2);
  ASSERT_GE(prober.asked.size(), 2U);
  const ProbeRequest& request = prober.asked.front();
  EXPECT_EQ(request.ip, hello_of(0).peer.ip);
  EXPECT_EQ(request.probe, hello_of(0).body.probe);
  EXPECT_EQ(request.session, ids[0]);
  EXPECT_EQ(request.timeout_ns, settings.probe.timeout_ns);
}

TEST_F(ProbingTest, DownIsOutAtOnceAndUpIsProvenByTasks) {
  start_with(2);
  all_say(true);
  intervals(1);
  prober.good[1] = false;
  intervals(2);
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed) << "2 failures of 3";
  intervals(1);
  EXPECT_EQ(state_of(kFirst), BreakerState::kOpen);
  EXPECT_EQ(breaker(kFirst).reason(), BreakerReason::kDown);
  EXPECT_EQ(admitted(kFirst), 0U);
  EXPECT_EQ(admitted(WorkerId{1}), 3U);
  intervals(20);
  EXPECT_EQ(state_of(kFirst), BreakerState::kOpen) << "no time ends it";
  EXPECT_NE(breakers_json(*control).find("health probe fails"), std::string::npos);
  EXPECT_NE(nodes_json(*control).find(R"("health":"down")"), std::string::npos);
  EXPECT_NE(nodes_json(*control).find(R"("said":"HTTP 503")"), std::string::npos);
  prober.good[1] = true;
  intervals(1);
  EXPECT_EQ(admitted(kFirst), 0U) << "1 good answer of 2";
  intervals(1);
  EXPECT_EQ(state_of(kFirst), BreakerState::kHalfOpen);
  EXPECT_EQ(admitted(kFirst), settings.breaker.probes);
  trial_tasks_succeed(kFirst);
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed);
}

TEST_F(ProbingTest, FailedTasksCountWhateverProbesSay) {
  start_with(2);
  all_say(true);
  intervals(1);
  for (std::uint32_t i = 0; i < settings.breaker.consecutive; ++i) shared->shards[0]->outcomes.add_failure(kFirst);
  step_ms(1);
  EXPECT_EQ(state_of(kFirst), BreakerState::kOpen);
  EXPECT_EQ(breaker(kFirst).reason(), BreakerReason::kInARow);
  step_ms(25);
  EXPECT_EQ(state_of(kFirst), BreakerState::kOpen) << "good probes do not shorten it";
  step_ms(10);
  EXPECT_EQ(state_of(kFirst), BreakerState::kHalfOpen);
}

TEST_F(ProbingTest, WhenMostFailAtOnceSomeStayIn) {
  start_with(4);
  all_say(true);
  intervals(1);
  all_say(false);
  intervals(10);
  std::uint32_t open = 0, held_back = 0;
  for (std::uint32_t i = 0; i < 4; ++i) {
    open += state_of(WorkerId{i}) == BreakerState::kOpen ? 1U : 0U;
    held_back += breaker(WorkerId{i}).held_back() ? 1U : 0U;
  }
  EXPECT_EQ(open, 2U) << "half of the pool";
  EXPECT_EQ(held_back, 2U);
  settings.breaker.ejected_share_max = 1;
  control->apply(std::make_shared<const Settings>(settings));
  intervals(1);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(state_of(WorkerId{i}), BreakerState::kOpen) << i;
}

TEST_F(ProbingTest, PeopleWin) {
  start_with(2);
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kForcedClosed), "");
  step_ms(1);
  intervals(5);
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed);
  EXPECT_EQ(admitted(kFirst), 3U);
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kAuto), "");
  step_ms(1);
  EXPECT_EQ(admitted(kFirst), 0U);
  EXPECT_EQ(breaker(kFirst).reason(), BreakerReason::kAwaited);
  all_say(true);
  intervals(1);
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kForcedOpen), "");
  intervals(5);
  EXPECT_EQ(admitted(kFirst), 0U);
}

TEST_F(ProbingTest, BreakersThatAreOffLeaveProbesOn) {
  settings.breaker.enabled = false;
  settings.breaker.ejected_share_max = 1;
  start_with(1);
  EXPECT_EQ(admitted(kFirst), 0U);
  all_say(true);
  intervals(1);
  EXPECT_EQ(admitted(kFirst), 3U);
  all_say(false);
  intervals(3);
  EXPECT_EQ(admitted(kFirst), 0U);
  all_say(true);
  intervals(2);
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed) << "nobody would hear of tasks that try it";
  all_say(false);
  intervals(3);
  control->apply(std::make_shared<const Settings>(settings));
  step_ms(1);
  EXPECT_EQ(state_of(kFirst), BreakerState::kOpen) << "switching them off again changes nothing";
}

TEST_F(ProbingTest, AnswersForSessionsThatEndedAreIgnored) {
  start_with(2);
  all_say(true);
  prober.silent = true;
  intervals(1);
  ASSERT_GE(prober.asked.size(), 2U);
  HelloSpec again = hello_of(0);
  again.body.instance[0] = 9;
  again.cookie_ms += 1'000;
  punt_hello(again);
  for (const ProbeRequest& request : prober.asked)
    prober.answers.push_back({request.number, request.session, true, ""});
  prober.answers.push_back({0, SessionId{}, true, ""});
  intervals(1);
  EXPECT_EQ(admitted(kFirst), 0U) << "its session ended";
  EXPECT_EQ(admitted(WorkerId{1}), 3U);
}

TEST_F(ProbingTest, AFullProberAsksLater) {
  start_with(1);
  prober.full = true;
  all_say(true);
  intervals(3);
  EXPECT_TRUE(prober.asked.empty());
  prober.full = false;
  intervals(1);
  EXPECT_EQ(admitted(kFirst), 3U);
}

TEST_F(ProbingTest, WhoLeavesIsAskedNoMore) {
  start_with(1);
  all_say(true);
  intervals(2);
  punt_bye(ids[0], hello_of(0).peer);
  step_ms(1);
  const std::size_t asked = prober.asked.size();
  intervals(5);
  EXPECT_EQ(prober.asked.size(), asked);
  EXPECT_TRUE(control->breakers().not_closed().empty());
}

TEST_F(ProbingTest, WithoutAProberHeartbeatsAreEnough) {
  options.prober = nullptr;
  start();
  ids.push_back(join_worker(hello_of(0)));
  obey();
  EXPECT_EQ(admitted(kFirst), 3U);
}

}  // namespace
}  // namespace mcplane::control
