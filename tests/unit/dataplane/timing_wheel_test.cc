// The timing wheel's promises one by one; tests/property holds it against a sorted list.
#include "dataplane/timing_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace mcplane::dataplane {
namespace {

struct NodeOf {
  TimerNode* nodes;
  TimerNode& operator()(std::uint32_t index) const noexcept { return nodes[index]; }
};

class TimingWheelTest : public ::testing::Test {
 protected:
  using Fired = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // timer, tick

  Fired advance(TimingWheel<NodeOf>& wheel, std::uint32_t tick, std::uint32_t budget = 1'000) {
    Fired fired;
    wheel.advance(tick, budget, [&](std::uint32_t timer) { fired.emplace_back(timer, wheel.now()); });
    return fired;
  }

  std::vector<TimerNode> nodes = std::vector<TimerNode>(16);
};

TEST_F(TimingWheelTest, FiresAtItsTickAndOnce) {
  TimingWheel<NodeOf> wheel({nodes.data()}, 100);
  wheel.arm(3, 110);
  EXPECT_TRUE(nodes[3].armed());
  EXPECT_EQ(advance(wheel, 109), Fired{});
  EXPECT_EQ(advance(wheel, 120), (Fired{{3, 110}}));
  EXPECT_FALSE(nodes[3].armed());
  EXPECT_EQ(advance(wheel, 300), Fired{});
  EXPECT_EQ(wheel.armed(), 0U);
}

TEST_F(TimingWheelTest, WhatIsPastFiresAtTheNextTick) {
  TimingWheel<NodeOf> wheel({nodes.data()}, 255);
  wheel.arm(0, 255);
  wheel.arm(1, 3);
  EXPECT_EQ(advance(wheel, 255), Fired{});
  EXPECT_EQ(advance(wheel, 256).size(), 2U);
}

TEST_F(TimingWheelTest, ABudgetLeavesTheRestForTheNextCall) {
  TimingWheel<NodeOf> wheel({nodes.data()}, 0);
  for (std::uint32_t timer = 0; timer < 10; ++timer) wheel.arm(timer, 5);
  EXPECT_EQ(advance(wheel, 6, 4).size(), 4U);
  EXPECT_EQ(wheel.now(), 5U);
  EXPECT_EQ(advance(wheel, 6, 4).size(), 4U);
  EXPECT_EQ(advance(wheel, 6, 4).size(), 2U);
  EXPECT_EQ(wheel.now(), 6U);
}

TEST_F(TimingWheelTest, ACallWalksABoundedWay) {
  TimingWheel<NodeOf> wheel({nodes.data()}, 0);
  wheel.arm(0, 1'000);
  int calls = 0;
  Fired fired;
  for (; fired.empty() && calls < 10; ++calls) fired = advance(wheel, 50'000);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(fired, (Fired{{0, 1'000}}));
}

TEST_F(TimingWheelTest, TheLastTickOfAWalkFiresToo) {
  for (const std::uint32_t ticks : {255U, 256U, 512U}) {
    TimingWheel<NodeOf> wheel({nodes.data()}, 0);
    wheel.arm(1, ticks);
    if (ticks == 512) advance(wheel, 256);
    EXPECT_EQ(advance(wheel, ticks), (Fired{{1, ticks}})) << ticks;
  }
}

TEST_F(TimingWheelTest, AFiredTimerMayBeArmedAgainFromWithin) {
  TimingWheel<NodeOf> wheel({nodes.data()}, 0);
  wheel.arm(0, 10);
  Fired fired;
  wheel.advance(45, 100, [&](std::uint32_t timer) {
    fired.emplace_back(timer, wheel.now());
    wheel.arm(timer, wheel.now() + 10);
  });
  EXPECT_EQ(fired, (Fired{{0, 10}, {0, 20}, {0, 30}, {0, 40}}));
}

TEST_F(TimingWheelTest, ADisarmedTimerDoesNotFireFromAnyPlaceInItsSlot) {
  for (std::uint32_t gone = 0; gone < 3; ++gone) {
    TimingWheel<NodeOf> wheel({nodes.data()}, 0);
    for (std::uint32_t timer = 0; timer < 3; ++timer) wheel.arm(timer, 70'000);
    wheel.disarm(gone);
    wheel.disarm(gone);
    EXPECT_EQ(wheel.armed(), 2U);
    Fired fired;
    while (fired.size() < 2 && wheel.now() < 70'001)
      for (const auto& one : advance(wheel, 70'001)) fired.push_back(one);
    EXPECT_EQ(fired.size(), 2U);
    for (const auto& [timer, tick] : fired) {
      EXPECT_NE(timer, gone);
      EXPECT_EQ(tick, 70'000U);
    }
  }
}

// Days of the clock, over the wrap of its 32 bits: each level is emptied into the next on the way.
TEST_F(TimingWheelTest, FarTimersComeDownThroughAllLevels) {
  constexpr std::uint32_t kStart = 0xfe000123U;
  TimingWheel<NodeOf> wheel({nodes.data()}, kStart);
  const std::uint32_t delays[] = {1, 0xfeddU, 0x10000U, 0xfffeddU, 0x1000000U, 0x1fffeddU, 0x2000000U, 0x7fffffffU};
  for (std::uint32_t timer = 0; timer < 8; ++timer) wheel.arm(timer, kStart + delays[timer]);
  Fired fired;
  while (wheel.now() != kStart + 0x2000100U)
    for (const auto& one : advance(wheel, kStart + 0x2000100U)) fired.push_back(one);
  ASSERT_EQ(fired.size(), 7U);
  for (std::uint32_t timer = 0; timer < 7; ++timer) {
    EXPECT_EQ(fired[timer].first, timer);
    EXPECT_EQ(fired[timer].second, kStart + delays[timer]);
  }
  EXPECT_TRUE(nodes[7].armed());
}

TEST_F(TimingWheelTest, QuietTicksNeverPassATimer) {
  for (const std::uint32_t delay : {1U, 2U, 9U, 10U, 50U, 300U, 70'000U}) {
    TimingWheel<NodeOf> wheel({nodes.data()}, 1'000);
    EXPECT_EQ(wheel.quiet_ticks(10), 10U);
    wheel.arm(3, 1'000 + delay);
    EXPECT_EQ(wheel.quiet_ticks(10), std::min(delay, 10U));
    // From sleep to sleep, as a core does.
    std::uint32_t now = 1'000;
    Fired fired;
    for (std::uint32_t sleeps = 0; fired.empty() && sleeps < delay; ++sleeps) {
      now += wheel.quiet_ticks(10);
      fired = advance(wheel, now);
    }
    EXPECT_EQ(fired, (Fired{{3, 1'000 + delay}}));
    EXPECT_EQ(now, 1'000 + delay) << "overslept";
  }
}

}  // namespace
}  // namespace mcplane::dataplane
