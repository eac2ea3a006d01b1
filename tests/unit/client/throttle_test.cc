// How a client slows down when its broker refuses, and how it finds back.
#include "client/throttle.h"

#include <gtest/gtest.h>

namespace mcplane::client {
namespace {

constexpr std::uint64_t kStart = 1'000 * kNsPerSecond;

class ThrottleTest : public testing::Test {
 protected:
  // Sends whatever it may until then, at most one each interval; how many that were.
  std::uint64_t send_until(std::uint64_t until_ns, std::uint64_t interval_ns) {
    std::uint64_t sent = 0;
    for (; now_ < until_ns; now_ += interval_ns) {
      if (throttle_.next_send_ns(now_) > now_) continue;
      throttle_.on_sent(now_);
      ++sent;
    }
    return sent;
  }

  Throttle throttle_;
  std::uint64_t now_ = kStart;
};

TEST_F(ThrottleTest, IsOffUntilARefusal) {
  EXPECT_EQ(send_until(kStart + kNsPerSecond, kNsPerMs), 1'000U);
  EXPECT_EQ(throttle_.rate_per_second(), 0);
}

TEST_F(ThrottleTest, AppliesToWhatTellsOfLoad) {
  EXPECT_TRUE(Throttle::applies_to(wire::Reason::QueueFull));
  EXPECT_TRUE(Throttle::applies_to(wire::Reason::TableFull));
  EXPECT_TRUE(Throttle::applies_to(wire::Reason::Draining));
  EXPECT_FALSE(Throttle::applies_to(wire::Reason::NoWorker));
  EXPECT_FALSE(Throttle::applies_to(wire::Reason::Malformed));
  EXPECT_FALSE(Throttle::applies_to(wire::Reason::Expired));
}

TEST_F(ThrottleTest, NothingIsSentBeforeRetryAfter) {
  send_until(kStart + kNsPerSecond, kNsPerMs);
  throttle_.on_refused(300 * kNsPerMs, now_);
  EXPECT_EQ(send_until(now_ + 300 * kNsPerMs, kNsPerMs), 0U);
  EXPECT_GT(send_until(now_ + 100 * kNsPerMs, kNsPerMs), 0U);
}

TEST_F(ThrottleTest, RateFallsByAFactorOncePerOverload) {
  send_until(kStart + kNsPerSecond, kNsPerMs);
  for (int i = 0; i < 50; ++i) throttle_.on_refused(0, now_ + static_cast<std::uint64_t>(i) * kNsPerMs);
  EXPECT_NEAR(throttle_.rate_per_second(), 700, 10);
  now_ += 50 * kNsPerMs;
  EXPECT_NEAR(static_cast<double>(send_until(now_ + 200 * kNsPerMs, kNsPerMs / 4)), 150, 15);
  throttle_.on_refused(0, now_);
  EXPECT_NEAR(throttle_.rate_per_second(), 0.7 * 725, 15);
}

TEST_F(ThrottleTest, RateGrowsByAConstantAndTheThrottleEnds) {
  send_until(kStart + kNsPerSecond, kNsPerMs);
  throttle_.on_refused(0, now_);
  const std::uint64_t refused = now_;
  EXPECT_NEAR(static_cast<double>(send_until(refused + kNsPerSecond, kNsPerMs / 4)), 750, 15);
  EXPECT_NEAR(static_cast<double>(send_until(refused + 2 * kNsPerSecond, kNsPerMs / 4)), 850, 15);
  send_until(refused + Throttle::kQuietNs + kNsPerMs, kNsPerMs);
  EXPECT_EQ(throttle_.rate_per_second(), 0);
  EXPECT_EQ(send_until(now_ + 100 * kNsPerMs, kNsPerMs / 4), 400U);
}

TEST_F(ThrottleTest, RefusalAfterRefusalLeavesOneSendASecond) {
  send_until(kStart + kNsPerSecond, kNsPerMs);
  for (int i = 0; i < 40; ++i) {
    throttle_.on_refused(0, now_);
    now_ += 110 * kNsPerMs;
  }
  EXPECT_LT(throttle_.rate_per_second(), 40);
  EXPECT_GE(throttle_.rate_per_second(), 1);
  const std::uint64_t next = throttle_.next_send_ns(now_);
  EXPECT_LE(next, now_ + kNsPerSecond);
}

TEST_F(ThrottleTest, ALoneSendThatIsRefusedMayBeTriedAgainInASecond) {
  throttle_.on_sent(now_);
  throttle_.on_refused(50 * kNsPerMs, now_ + 1);
  EXPECT_GE(throttle_.next_send_ns(now_ + 2), now_ + 50 * kNsPerMs);
  EXPECT_LE(throttle_.next_send_ns(now_ + 50 * kNsPerMs + 2), now_ + 1'100 * kNsPerMs);
}

}  // namespace
}  // namespace mcplane::client
