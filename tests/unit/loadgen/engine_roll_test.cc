// Who is woken when, who starts when, and how many are registered.
#include "loadgen/engine_roll.h"

#include <gtest/gtest.h>

namespace mcplane::loadgen {
namespace {

struct FakeSession {
  bool is_registered = false;
  bool registered() const noexcept { return is_registered; }
};
struct FakeEngine {
  FakeSession state;
  std::uint64_t timer_ns = WakeQueue::kNever;
  const FakeSession& session() const noexcept { return state; }
  std::uint64_t next_timer_ns() const noexcept { return timer_ns; }
};

TEST(WakeQueue, WakesInOrderAndOnce) {
  WakeQueue queue(3);
  queue.arm(0, 300);
  queue.arm(1, 100);
  queue.arm(2, 200);
  EXPECT_EQ(queue.take_due(99), std::nullopt);
  EXPECT_EQ(queue.take_due(250), 1U);
  EXPECT_EQ(queue.take_due(250), 2U);
  EXPECT_EQ(queue.take_due(250), std::nullopt);
  EXPECT_EQ(queue.take_due(300), 0U);
  EXPECT_EQ(queue.take_due(1'000), std::nullopt);
}

TEST(WakeQueue, AnEarlierTimeReplacesALaterOne) {
  WakeQueue queue(1);
  queue.arm(0, 500);
  queue.arm(0, 100);
  EXPECT_EQ(queue.take_due(100), 0U);
  EXPECT_EQ(queue.take_due(1'000), std::nullopt);
}

TEST(WakeQueue, ALaterTimeIsFoundOutWhenTheEarlierOneFires) {
  WakeQueue queue(1);
  queue.arm(0, 100);
  queue.arm(0, 500);
  EXPECT_EQ(queue.take_due(100), 0U);
  queue.arm(0, 500);
  EXPECT_EQ(queue.take_due(499), std::nullopt);
  EXPECT_EQ(queue.take_due(500), 0U);
}

TEST(EngineRoll, StartsAFewATick) {
  EngineRoll roll(EngineRoll::kStartsPerTick + 1);
  EXPECT_EQ(roll.take_start(), std::nullopt);
  roll.begin_tick();
  for (std::uint32_t i = 0; i < EngineRoll::kStartsPerTick; ++i) EXPECT_EQ(roll.take_start(), i);
  EXPECT_EQ(roll.take_start(), std::nullopt);
  roll.begin_tick();
  EXPECT_EQ(roll.take_start(), EngineRoll::kStartsPerTick);
  EXPECT_EQ(roll.take_start(), std::nullopt);
}

TEST(EngineRoll, CountsWhoIsRegisteredNow) {
  EngineRoll roll(2);
  FakeEngine engine;
  engine.state.is_registered = true;
  roll.note(0, engine);
  roll.note(0, engine);
  roll.note(1, engine);
  EXPECT_EQ(roll.registered(), 2U);
  engine.state.is_registered = false;
  roll.note(0, engine);
  EXPECT_EQ(roll.registered(), 1U);
}

TEST(EngineRoll, WhatIsStillDueWaits) {
  EngineRoll roll(1);
  FakeEngine engine;
  engine.timer_ns = 50;
  roll.note(0, engine);
  EXPECT_EQ(roll.take_due(100), 0U);
  roll.note(0, engine, 200);
  EXPECT_EQ(roll.take_due(199), std::nullopt);
  EXPECT_EQ(roll.take_due(200), 0U);
}

}  // namespace
}  // namespace mcplane::loadgen
