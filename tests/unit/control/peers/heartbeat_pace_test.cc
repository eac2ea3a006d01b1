// How often endpoints are told to speak, and by what their silence is judged.
#include "control/peers/heartbeat_pace.h"

#include <gtest/gtest.h>

namespace mcplane::control {
namespace {

constexpr std::uint32_t kLeastMs = 100;

TEST(HeartbeatPace, KeepsAShardsPingsBelowTheirBound) {
  HeartbeatPace pace(kLeastMs);
  const auto told_ms = [&](std::size_t peers, std::size_t shards) {
    pace.set(peers, shards, 0);
    return pace.told_ms();
  };
  EXPECT_EQ(told_ms(0, 1), 100U);
  EXPECT_EQ(told_ms(5'000, 1), 100U);
  EXPECT_EQ(told_ms(5'001, 1), 101U);
  EXPECT_EQ(told_ms(64'000, 1), 1'280U);
  EXPECT_EQ(told_ms(64'000, 4), 320U);
}

TEST(HeartbeatPace, LongerIsJudgedAtOnce) {
  HeartbeatPace pace(kLeastMs);
  pace.set(10, 1, 0);
  EXPECT_EQ(pace.judged_ms(), 100U);
  pace.set(64'000, 1, 1);
  EXPECT_EQ(pace.judged_ms(), 1'280U);
}

// Whenever it is looked at: everything told in the four intervals before is no longer than what is judged by.
TEST(HeartbeatPace, ShorterIsJudgedOnceAllMustHaveHeard) {
  for (const std::uint64_t long_for_ms : {1U, 700U, 5'119U, 5'121U, 20'000U}) {
    HeartbeatPace pace(kLeastMs);
    std::uint64_t now_ms = 0;
    const auto run = [&](std::size_t peers, std::uint64_t ms) {
      for (const std::uint64_t end_ms = now_ms + ms; now_ms < end_ms; ++now_ms) pace.set(peers, 1, now_ms * kNsPerMs);
    };
    run(10, 333);
    run(64'000, long_for_ms);
    run(32'000, 5'119);
    EXPECT_EQ(pace.told_ms(), 640U);
    EXPECT_EQ(pace.judged_ms(), 1'280U) << long_for_ms;
    run(10, 2'559);
    EXPECT_GE(pace.judged_ms(), 640U) << long_for_ms;
    run(10, 2 * 4 * 1'280 + 4 * 640);
    EXPECT_EQ(pace.judged_ms(), 100U) << long_for_ms;
  }
}

}  // namespace
}  // namespace mcplane::control
