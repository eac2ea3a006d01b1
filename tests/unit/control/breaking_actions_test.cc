// A worker that fails at one of its actions: that alone is out, and comes back by probes of its own.
#include "breaking_test.h"
#include "control/reports/breaker_report.h"

namespace mcplane::control {
namespace {

// Actions are kept sorted: that is their order here, too.
constexpr SkillId kEmbed{0}, kGenerate{1};

class ActionsTest : public BreakingTest {
 protected:
  void start_with_two_actions(std::uint32_t workers, std::uint32_t shards = 1) {
    start_with(workers, shards, {"generate", "embed"});
  }
  // One action is on trial, and all its probes are under way.
  void start_with_probes_of_embed() {
    start_with_two_actions(2);
    fail_at(kEmbed, 5);
    step_ms(35);
    ASSERT_EQ(entered(kEmbed), 3U);
  }
  // As a core does with the end of a task.
  void fail_at(SkillId skill, std::uint32_t times, WorkerId worker = kFirst) {
    for (; times > 0; --times) {
      shared->workers[worker].skills->add_failure(ShardId{0}, skill);
      shared->shards[0]->outcomes.add_failure(worker);
    }
  }
  void succeed_at(SkillId skill, WorkerId worker = kFirst) {
    shared->workers[worker].skills->add_success(ShardId{0}, skill);
    shared->shards[0]->outcomes.add_success(worker);
  }
  void probe_succeeds_at(SkillId skill) {
    shared->workers[kFirst].skills->add_success(ShardId{0}, skill);
    shared->shards[0]->outcomes.add_probe(kFirst);
  }
  BreakerState state_of(SkillId skill, WorkerId worker = kFirst) {
    return control->breakers()[{worker, skill}].state();
  }
  bool is_out(SkillId skill) { return shared->workers[kFirst].is_out(skill); }
  // How many probes get in.
  std::uint32_t entered(SkillId skill) {
    std::uint32_t count = 0;
    for (; count < 100 && shared->workers[kFirst].skills->try_enter(skill, shared->workers[kFirst].round()); ++count) {
    }
    return count;
  }
};

TEST_F(ActionsTest, WhatFailsIsOutAndTheRestGoesOn) {
  start_with_two_actions(2);
  const std::uint32_t slots = admitted(kFirst);
  const state::GateRound before = shared->workers[kFirst].round();
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(is_out(kEmbed)) << i;
    succeed_at(kGenerate);
    fail_at(kEmbed, 1);
    step_ms(1);
  }
  EXPECT_EQ(state_of(kEmbed), BreakerState::kOpen);
  EXPECT_EQ(state_of(kGenerate), BreakerState::kClosed);
  EXPECT_EQ(BreakingTest::state_of(kFirst), BreakerState::kClosed);
  EXPECT_TRUE(is_out(kEmbed));
  EXPECT_FALSE(is_out(kGenerate));
  EXPECT_EQ(admitted(kFirst), slots) << "for the other action";
  EXPECT_EQ(entered(kEmbed), 0U);
  EXPECT_NE(shared->workers[kFirst].round(), before) << "what was under way counts no more";
  const state::LoadIndex& index = *routes().pool(0).load;
  EXPECT_TRUE(index.some_out(kEmbed));
  EXPECT_TRUE(index.trusts(kEmbed));
  EXPECT_FALSE(index.some_out(kGenerate));
}

TEST_F(ActionsTest, FailuresOfOneActionAloneDoNotOpenTheWorkersOwn) {
  start_with_two_actions(2);
  fail_at(kEmbed, 5);
  step_ms(1);
  EXPECT_EQ(state_of(kEmbed), BreakerState::kOpen);
  EXPECT_EQ(BreakingTest::state_of(kFirst), BreakerState::kClosed);
  fail_at(kGenerate, 4);
  step_ms(1);
  EXPECT_EQ(BreakingTest::state_of(kFirst), BreakerState::kClosed) << "the five before were the other's";
}

TEST_F(ActionsTest, FailuresOfAllActionsOpenTheWorkersOwnAndForgetTheirs) {
  start_with_two_actions(2);
  fail_at(kEmbed, 3);
  fail_at(kGenerate, 2);
  step_ms(1);
  EXPECT_EQ(BreakingTest::state_of(kFirst), BreakerState::kOpen);
  EXPECT_EQ(state_of(kEmbed), BreakerState::kClosed);
  EXPECT_EQ(admitted(kFirst), 0U);
}

TEST_F(ActionsTest, ProbesOfItsOwnBringItBack) {
  start_with_two_actions(2);
  fail_at(kEmbed, 5);
  step_ms(35);
  ASSERT_EQ(state_of(kEmbed), BreakerState::kHalfOpen);
  EXPECT_EQ(entered(kEmbed), 3U);
  EXPECT_EQ(entered(kEmbed), 0U);
  EXPECT_TRUE(is_out(kEmbed));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(state_of(kEmbed), BreakerState::kHalfOpen) << i;
    probe_succeeds_at(kEmbed);
    step_ms(1);
  }
  EXPECT_EQ(state_of(kEmbed), BreakerState::kClosed);
  EXPECT_FALSE(is_out(kEmbed));
  EXPECT_FALSE(routes().pool(0).load->some_out(kEmbed));
}

TEST_F(ActionsTest, AProbeThatFailsPutsItOutAgain) {
  start_with_probes_of_embed();
  fail_at(kEmbed, 1);
  step_ms(1);
  EXPECT_EQ(state_of(kEmbed), BreakerState::kOpen);
  EXPECT_EQ((control->breakers()[{kFirst, kEmbed}].openings()), 2U);
  EXPECT_EQ(entered(kEmbed), 0U);
}

TEST_F(ActionsTest, ProbesThatCameToNothingAreGivenAgainWhenNoneRuns) {
  start_with_probes_of_embed();
  const std::uint16_t round = shared->workers[kFirst].round();
  shared->workers[kFirst].skills->leave(kEmbed, round, false);
  shared->workers[kFirst].skills->leave(kEmbed, round, false);
  step_ms(100);
  EXPECT_EQ(entered(kEmbed), 0U) << "one still runs";
  shared->workers[kFirst].skills->leave(kEmbed, round, false);
  step_ms(35);
  EXPECT_EQ(entered(kEmbed), 3U);
}

TEST_F(ActionsTest, ANewRoundRenewsTheProbesOfTheOthers) {
  start_with_probes_of_embed();
  fail_at(kGenerate, 5);
  step_ms(1);
  ASSERT_EQ(state_of(kGenerate), BreakerState::kOpen);
  EXPECT_EQ(entered(kEmbed), 3U) << "what came of those of the round before is not heard";
}

TEST_F(ActionsTest, NoMoreThanAShareOfAPoolIsOutForAnAction) {
  start_with_two_actions(3);
  fail_at(kEmbed, 5, WorkerId{0});
  fail_at(kEmbed, 5, WorkerId{1});
  fail_at(kGenerate, 5, WorkerId{2});
  step_ms(1);
  EXPECT_EQ(state_of(kEmbed, WorkerId{0}), BreakerState::kOpen);
  EXPECT_EQ(state_of(kEmbed, WorkerId{1}), BreakerState::kClosed);
  EXPECT_TRUE((control->breakers()[{WorkerId{1}, kEmbed}].held_back()));
  EXPECT_EQ(BreakingTest::state_of(WorkerId{1}), BreakerState::kClosed) << "not for that instead";
  EXPECT_EQ(state_of(kGenerate, WorkerId{2}), BreakerState::kOpen) << "each action has its own share";
}

TEST_F(ActionsTest, PeopleHoldOneActionOpen) {
  start_with_two_actions(1);
  EXPECT_NE(control->force_breaker(ids[0], BreakerMode::kForcedOpen, "sing"), "");
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kForcedOpen, "embed"), "");
  step_ms(200);
  EXPECT_TRUE(is_out(kEmbed));
  EXPECT_FALSE(routes().pool(0).load->admits(kEmbed));
  EXPECT_TRUE(routes().pool(0).load->admits(kGenerate));
  EXPECT_GT(admitted(kFirst), 0U);
  EXPECT_NE(breakers_json(*control).find(R"("action":"embed","state":"open","mode":"forced-open")"), std::string::npos)
      << breakers_json(*control);
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kForcedOpen), "");
  step_ms(1);
  EXPECT_NE(control->force_breaker(ids[0], BreakerMode::kAuto, "embed"), "") << "the worker itself is out";
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kForcedClosed), "");
  step_ms(1);
  EXPECT_TRUE(is_out(kEmbed)) << "still held open";
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kAuto, "embed"), "");
  step_ms(1);
  EXPECT_EQ(entered(kEmbed), 3U);
}

TEST_F(ActionsTest, LeavingAndSwitchingOffForget) {
  start_with_two_actions(2);
  fail_at(kEmbed, 5);
  step_ms(1);
  settings.breaker.per_action = false;
  control->apply(std::make_shared<const Settings>(settings));
  step_ms(1);
  EXPECT_FALSE(is_out(kEmbed));
  settings.breaker.per_action = true;
  control->apply(std::make_shared<const Settings>(settings));
  step_ms(1);
  fail_at(kEmbed, 5);
  step_ms(1);
  ASSERT_TRUE(is_out(kEmbed));
  punt_bye(ids[0], worker_hello(1'000).peer);
  poll();
  EXPECT_TRUE(control->breakers().not_closed().empty());
  EXPECT_FALSE(routes().pool(0).load->some_out(kEmbed));
}

TEST_F(ActionsTest, AWorkerWithOneActionHasOneBreaker) {
  start_with(2);
  fail(kFirst, 5);
  step_ms(1);
  EXPECT_EQ(BreakingTest::state_of(kFirst), BreakerState::kOpen);
  EXPECT_EQ(state_of(SkillId{0}), BreakerState::kClosed);
  EXPECT_EQ(control->force_breaker(ids[0], BreakerMode::kForcedClosed, "generate"), "");
  EXPECT_EQ(BreakingTest::state_of(kFirst), BreakerState::kClosed);
}

}  // namespace
}  // namespace mcplane::control
