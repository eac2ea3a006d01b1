// The strategy of --idle, turn by turn: time in, decision out.
#include "app/config/idle.h"

#include <gtest/gtest.h>

namespace mcplane::app {
namespace {

using Step = Idle::Step;

constexpr std::uint64_t kStart = 1'000'000;

// Turns without work at one moment until the step is another; how many there were.
std::uint32_t turns_of(Idle& idle, Step step, std::uint64_t now_ns) {
  std::uint32_t turns = 0;
  while (turns < 1'000 && idle.after(false, now_ns) == step) ++turns;
  return turns;
}

TEST(IdleTest, PollAlwaysLooks) {
  Idle idle(IdleMode::kPoll);
  EXPECT_EQ(turns_of(idle, Step::kLook, kStart), 1'000U);
  EXPECT_EQ(idle.after(false, kStart + kNsPerSecond), Step::kLook);
  EXPECT_EQ(idle.after(true, kStart), Step::kLook);
}

TEST(IdleTest, PauseComesAfterSomeEmptyPollsAndEndsWithWork) {
  Idle idle(IdleMode::kPause);
  EXPECT_EQ(turns_of(idle, Step::kLook, kStart), Idle::kPollsBeforePause);
  EXPECT_EQ(idle.after(false, kStart + kNsPerSecond), Step::kPauseAndLook) << "never sleeps";
  EXPECT_EQ(idle.after(true, kStart), Step::kLook);
  EXPECT_EQ(turns_of(idle, Step::kLook, kStart), Idle::kPollsBeforePause);
}

TEST(IdleTest, SleepSpinsArmsLooksAndWaits) {
  Idle idle(IdleMode::kSleep);
  EXPECT_EQ(idle.after(true, kStart), Step::kLook);
  EXPECT_EQ(turns_of(idle, Step::kLook, kStart), Idle::kPollsBeforePause);
  EXPECT_EQ(idle.after(false, kStart + Idle::kSpinNs - 1), Step::kPauseAndLook);
  EXPECT_EQ(idle.after(false, kStart + Idle::kSpinNs), Step::kArmAndLook);
  EXPECT_EQ(idle.after(false, kStart + Idle::kSpinNs), Step::kWait);
}

TEST(IdleTest, WorkFoundAfterArmingDisarms) {
  Idle idle(IdleMode::kSleep);
  EXPECT_EQ(idle.after(false, kStart), Step::kArmAndLook);
  EXPECT_EQ(idle.after(true, kStart), Step::kDisarmAndLook);
  EXPECT_EQ(idle.after(true, kStart), Step::kLook);
  EXPECT_EQ(idle.after(false, kStart + Idle::kSpinNs - 1), Step::kLook);
  EXPECT_EQ(idle.after(false, kStart + Idle::kSpinNs), Step::kArmAndLook) << "and not kWait, unarmed";
}

TEST(IdleTest, AfterATimeoutItSleepsAgainAtOnceAfterASignalItLooks) {
  Idle idle(IdleMode::kSleep);
  const auto sleep = [&](std::uint64_t now_ns) {
    return idle.after(false, now_ns) == Step::kArmAndLook && idle.after(false, now_ns) == Step::kWait;
  };
  EXPECT_TRUE(sleep(kStart));
  idle.woke(false, kStart + kNsPerMs);
  EXPECT_TRUE(sleep(kStart + kNsPerMs));
  idle.woke(true, kStart + 2 * kNsPerMs);
  EXPECT_EQ(idle.after(false, kStart + 2 * kNsPerMs), Step::kLook);
  EXPECT_TRUE(sleep(kStart + 2 * kNsPerMs + Idle::kSpinNs));
}

TEST(IdleTest, NapsGrowToTheirBoundAndShrinkWithWork) {
  Idle idle(IdleMode::kSleep);
  std::uint64_t nap_ns = idle.nap_ns();
  EXPECT_EQ(nap_ns, Idle::kNapMinNs);
  for (int i = 0; i < 10; ++i) {
    const std::uint64_t next_ns = idle.nap_ns();
    EXPECT_GE(next_ns, nap_ns);
    EXPECT_LE(next_ns, Idle::kNapMaxNs);
    nap_ns = next_ns;
  }
  EXPECT_EQ(nap_ns, Idle::kNapMaxNs);
  idle.after(true, kStart);
  EXPECT_EQ(idle.nap_ns(), Idle::kNapMinNs);
}

}  // namespace
}  // namespace mcplane::app
