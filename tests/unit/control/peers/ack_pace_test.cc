// How long acknowledgements wait, and that nobody is kept waiting for longer than he was told.
#include "control/peers/ack_pace.h"

#include <gtest/gtest.h>

namespace mcplane::control {
namespace {

constexpr std::uint32_t kUsualUs = 1'000, kHeartbeatMs = 1'000;
constexpr std::uint32_t kUsualMs = AckPace::in_ms(kUsualUs), kCrowdMs = AckPace::in_ms(AckPace::kCrowdUs);

TEST(AckPace, ManyPeersAreToldALongerOne) {
  AckPace pace(kUsualUs);
  const auto told_us = [&](std::size_t peers, std::size_t shards) {
    pace.set(peers, shards, kHeartbeatMs, 0);
    return pace.told_us();
  };
  EXPECT_EQ(told_us(0, 1), 1'000U);
  EXPECT_EQ(told_us(1'000, 1), 1'000U);
  EXPECT_EQ(told_us(1'001, 1), 25'000U);
  EXPECT_EQ(told_us(4'000, 4), 1'000U);
  EXPECT_EQ(told_us(4'001, 4), 25'000U);
  AckPace patient(60'000);
  patient.set(4'001, 4, kHeartbeatMs, 0);
  EXPECT_EQ(patient.told_us(), 60'000U);
}

TEST(AckPace, IsKeptInWholeMilliseconds) {
  EXPECT_EQ(AckPace::in_ms(100), 2U);
  EXPECT_EQ(AckPace::in_ms(1'000), 2U);
  EXPECT_EQ(AckPace::in_ms(2'001), 3U);
  EXPECT_EQ(AckPace::in_ms(25'000), 25U);
}

// Whenever it is looked at: all that was told in the four intervals before is no shorter than what is kept.
TEST(AckPace, LongerIsKeptOnceAllMustHaveHeard) {
  for (const std::uint64_t few_for_ms : {1U, 333U, 3'999U, 4'001U}) {
    AckPace pace(kUsualUs);
    std::uint64_t now_ms = 0;
    const auto run = [&](std::size_t peers, std::uint64_t ms) {
      for (const std::uint64_t end_ms = now_ms + ms; now_ms < end_ms; ++now_ms)
        pace.set(peers, 1, kHeartbeatMs, now_ms * kNsPerMs);
    };
    run(10, few_for_ms);
    run(2'000, 3'999);
    EXPECT_EQ(pace.told_us(), AckPace::kCrowdUs);
    EXPECT_EQ(pace.kept_ms(), kUsualMs) << few_for_ms;
    run(2'000, 2 * 4'000 + 1);
    EXPECT_EQ(pace.kept_ms(), kCrowdMs) << few_for_ms;
  }
}

TEST(AckPace, ShorterIsKeptAtOnce) {
  AckPace pace(kUsualUs);
  for (std::uint64_t ms = 0; ms < 10'000; ++ms) pace.set(2'000, 1, kHeartbeatMs, ms * kNsPerMs);
  ASSERT_EQ(pace.kept_ms(), kCrowdMs);
  pace.set(1'000, 1, kHeartbeatMs, 10'000 * kNsPerMs);
  EXPECT_EQ(pace.told_us(), kUsualUs);
  EXPECT_EQ(pace.kept_ms(), kUsualMs);
}

}  // namespace
}  // namespace mcplane::control
