// One action of one worker: its outcomes by core, and as many permits as control gave, in the round it gave them for.
#include "state/skill_board.h"

#include <gtest/gtest.h>

namespace mcplane::state {
namespace {

constexpr SkillId kSkill{3}, kOther{4};
constexpr ShardId kFirst{0}, kLast{2};

class SkillBoardTest : public ::testing::Test {
 protected:
  SkillBoard board{5, 3};
};

TEST_F(SkillBoardTest, EachCoreAndActionHasItsOwnWord) {
  board.add_failure(kFirst, kSkill);
  board.add_success(kLast, kSkill);
  board.add_success(kLast, kOther);
  EXPECT_TRUE(board.read(kFirst, kSkill).failed(0));
  EXPECT_EQ(board.read(kFirst, kOther).count(), 0U);
  EXPECT_EQ(board.read(kLast, kSkill).count(), 1U);
  EXPECT_FALSE(board.read(kLast, kSkill).failed(0));
  EXPECT_EQ(board.read(kLast, kOther).count(), 1U);
}

TEST_F(SkillBoardTest, LetsAsManyThroughAsThereArePermits) {
  EXPECT_FALSE(board.try_enter(kSkill, 0)) << "shut";
  board.set_gate(kSkill, 7, 2);
  EXPECT_FALSE(board.try_enter(kOther, 7));
  EXPECT_FALSE(board.try_enter(kSkill, 6)) << "of another round";
  EXPECT_TRUE(board.try_enter(kSkill, 7));
  EXPECT_TRUE(board.try_enter(kSkill, 7));
  EXPECT_FALSE(board.try_enter(kSkill, 7));
}

TEST_F(SkillBoardTest, WhoSaysNothingGivesHisPermitBack) {
  board.set_gate(kSkill, 7, 1);
  ASSERT_TRUE(board.try_enter(kSkill, 7));
  board.leave(kSkill, 7, true);
  ASSERT_TRUE(board.try_enter(kSkill, 7));
  EXPECT_TRUE(board.probes_run(kSkill));
  board.leave(kSkill, kNoRound, true);  // his outcome was told, and ended it
  EXPECT_TRUE(board.probes_run(kSkill));
  board.leave(kSkill, 7, false);
  EXPECT_FALSE(board.probes_run(kSkill));
  board.leave(kSkill, 7, true);
  EXPECT_FALSE(board.try_enter(kSkill, 7)) << "more left than entered";
}

TEST_F(SkillBoardTest, ANewRoundForgetsWhoIsInside) {
  board.set_gate(kSkill, 7, 1);
  ASSERT_TRUE(board.try_enter(kSkill, 7));
  board.set_gate(kSkill, 8, 1);
  board.leave(kSkill, 7, true);
  EXPECT_TRUE(board.try_enter(kSkill, 8));
  EXPECT_FALSE(board.try_enter(kSkill, 8));
}

}  // namespace
}  // namespace mcplane::state
