// From what cores tell of tasks to gates that shut and open.
#include "breaking_test.h"
#include "control/reports/breaker_report.h"

namespace mcplane::control {
namespace {

using state::CommandKind;

TEST_F(BreakingTest, FiveFailuresInARowShutTheGateInTheNextPoll) {
  start_with(2);
  const std::uint32_t slots = admitted(kFirst);
  EXPECT_GT(slots, 0U);
  fail(kFirst, 4);
  poll();
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed);
  succeed(kFirst, 1);
  fail(kFirst, 4);
  poll();
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed) << "a success in between";
  fail(kFirst, 1);
  poll();
  EXPECT_EQ(state_of(kFirst), BreakerState::kOpen);
  EXPECT_EQ(control->breakers()[kFirst].reason(), BreakerReason::kInARow);
  EXPECT_EQ(admitted(kFirst), 0U) << "before any core was told";
  EXPECT_EQ(admitted(WorkerId{1}), slots);
  EXPECT_EQ(admitting(), 1U);
  const auto commands = take_commands();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].kind, CommandKind::kRefreshWorker);
}

TEST_F(BreakingTest, AShareOfTheWindowOpensWhereverTheTasksRan) {
  start_with(2, 2);
  for (int i = 0; i < 5; ++i) {
    for (const std::size_t shard : {0U, 1U}) {
      succeed(kFirst, 1, shard);
      fail(kFirst, 1, shard);
    }
    poll();
    EXPECT_EQ(state_of(kFirst), i < 4 ? BreakerState::kClosed : BreakerState::kOpen) << i;
  }
  EXPECT_EQ(control->breakers()[kFirst].reason(), BreakerReason::kShare);
}

TEST_F(BreakingTest, ProbesThatAllSucceedCloseIt) {
  start_with(2);
  fail(kFirst, 5);
  step_ms(1);
  step_ms(28);
  EXPECT_EQ(admitted(kFirst), 0U);
  step_ms(3);
  EXPECT_EQ(state_of(kFirst), BreakerState::kHalfOpen);
  EXPECT_EQ(admitted(kFirst), 3U);
  EXPECT_EQ(admitted(kFirst), 0U);
  EXPECT_EQ(admitting(), 2U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(state_of(kFirst), BreakerState::kHalfOpen) << i;
    probe_succeeds(kFirst);
    step_ms(1);
  }
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed);
  EXPECT_EQ(control->breakers()[kFirst].openings(), 0U);
  EXPECT_GT(admitted(kFirst), 0U);
  EXPECT_GT(admitted(kFirst), 0U);
}

TEST_F(BreakingTest, AProbeThatFailsOpensItForLongerUpToACap) {
  start_with(2);
  for (const std::uint64_t open_ms : {30U, 60U, 70U, 70U}) {
    fail(kFirst, 5);
    step_ms(1);
    ASSERT_EQ(state_of(kFirst), BreakerState::kOpen);
    step_ms(open_ms - 2);
    EXPECT_EQ(state_of(kFirst), BreakerState::kOpen) << open_ms;
    step_ms(3);
    EXPECT_EQ(state_of(kFirst), BreakerState::kHalfOpen) << open_ms;
  }
}

TEST_F(BreakingTest, ProbesThatCameToNothingAreGivenAgain) {
  start_with(2);
  fail(kFirst, 5);
  step_ms(35);
  ASSERT_EQ(shared->workers.try_acquire(kFirst), ids[0]);
  EXPECT_EQ(admitted(kFirst), 2U);
  step_ms(100);
  EXPECT_EQ(admitted(kFirst), 0U) << "one still runs";
  shared->workers.release(kFirst);
  step_ms(35);
  EXPECT_EQ(admitted(kFirst), 3U);
}

TEST_F(BreakingTest, NoMoreThanAShareOfAPoolIsOut) {
  start_with(3);
  fail(WorkerId{0}, 5);
  poll();
  EXPECT_EQ(state_of(WorkerId{0}), BreakerState::kOpen);
  fail(WorkerId{1}, 5);
  poll();
  EXPECT_EQ(state_of(WorkerId{1}), BreakerState::kClosed);
  EXPECT_TRUE(control->breakers()[WorkerId{1}].held_back());
  EXPECT_NE(breakers_json(*control).find("held back"), std::string::npos);
  control->force_breaker(ids[0], BreakerMode::kForcedClosed);
  fail(WorkerId{1}, 1);
  poll();
  EXPECT_EQ(state_of(WorkerId{1}), BreakerState::kOpen);
}

TEST_F(BreakingTest, PeopleHoldItOpenOrClosed) {
  start_with(1);
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kForcedOpen), "");
  step_ms(200);
  EXPECT_EQ(state_of(kFirst), BreakerState::kOpen);
  EXPECT_EQ(admitted(kFirst), 0U);
  EXPECT_EQ(admitting(), 0U);
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kAuto), "");
  obey();
  poll();
  obey();
  EXPECT_EQ(admitted(kFirst), 3U);
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kForcedClosed), "");
  fail(kFirst, 50);
  step_ms(1);
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed);
  EXPECT_GT(admitted(kFirst), 0U);
  EXPECT_NE(control->force_breaker(SessionId::make(9, 9), BreakerMode::kForcedOpen), "");
}

TEST_F(BreakingTest, DrainingAndEndingForgetTheBreaker) {
  start_with(2);
  fail(kFirst, 5);
  poll();
  punt_bye(ids[0], worker_hello(1'000).peer);
  poll();
  EXPECT_EQ(admitting(), 1U);
  EXPECT_EQ(state_of(kFirst), BreakerState::kClosed);
  EXPECT_TRUE(control->breakers().not_closed().empty());
  EXPECT_EQ(admitted(kFirst), 0U) << "it drains";
  step_ms(100);
  EXPECT_EQ(admitted(kFirst), 0U);
}

TEST_F(BreakingTest, SwitchedOffEverybodyIsIn) {
  start_with(2);
  fail(kFirst, 5);
  step_ms(1);
  settings.breaker.enabled = false;
  control->apply(std::make_shared<const Settings>(settings));
  step_ms(1);
  EXPECT_GT(admitted(kFirst), 0U);
  fail(kFirst, 50);
  step_ms(1);
  EXPECT_GT(admitted(kFirst), 0U);
}

TEST_F(BreakingTest, SlownessIsMeasuredOnCores) {
  settings.breaker.slow_ns = 1'500;
  options.config.settings = std::make_shared<const Settings>(settings);
  start();
  EXPECT_EQ(shared->slow_us.load(), 2U);
  settings.breaker.slow_ns = 0;
  control->apply(std::make_shared<const Settings>(settings));
  EXPECT_EQ(shared->slow_us.load(), state::Shared::kNeverSlowUs);
}

}  // namespace
}  // namespace mcplane::control
