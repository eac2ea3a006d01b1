// Send times: their mean, their form, and that the seed alone makes them.
#include "loadgen/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/types.h"

namespace mcplane::loadgen {
namespace {

std::vector<std::uint64_t> times(double rate, Arrivals arrivals, std::uint64_t seed, std::size_t count) {
  Schedule schedule({.per_second = rate}, arrivals, seed);
  std::vector<std::uint64_t> due_ns;
  for (std::size_t i = 0; i < count; ++i, schedule.advance()) due_ns.push_back(schedule.due_ns());
  return due_ns;
}

TEST(Schedule, ConstantSendsAtEqualGapsFromTheStart) {
  EXPECT_EQ(times(1'000, Arrivals::kConstant, 1, 4), (std::vector<std::uint64_t>{0, 1'000'000, 2'000'000, 3'000'000}));
}

TEST(Schedule, ConstantDoesNotDriftWhenTheGapIsNoWholeNanosecond) {
  const auto due_ns = times(3, Arrivals::kConstant, 1, 3'000'001);
  EXPECT_NEAR(static_cast<double>(due_ns.back()), 1e6 * static_cast<double>(kNsPerSecond), 1.0);
}

TEST(Schedule, PoissonHasTheRateAndTheSpreadOfAnExponential) {
  const double rate = 50'000;
  const std::size_t count = 200'000;
  const auto due_ns = times(rate, Arrivals::kPoisson, 7, count + 1);
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_GE(due_ns[i + 1], due_ns[i]);
    const auto gap = static_cast<double>(due_ns[i + 1] - due_ns[i]);
    sum += gap;
    squares += gap * gap;
  }
  const double mean = sum / static_cast<double>(count);
  const double deviation = std::sqrt(squares / static_cast<double>(count) - mean * mean);
  // Five standard errors of 200,000 draws are 1.1 %.
  EXPECT_NEAR(mean, 1e9 / rate, 1e9 / rate * 0.012);
  EXPECT_NEAR(deviation / mean, 1.0, 0.02);
}

TEST(Schedule, TheSeedAloneMakesThePoissonTimes) {
  EXPECT_EQ(times(1'000, Arrivals::kPoisson, 42, 1'000), times(1'000, Arrivals::kPoisson, 42, 1'000));
  EXPECT_NE(times(1'000, Arrivals::kPoisson, 42, 1'000), times(1'000, Arrivals::kPoisson, 43, 1'000));
}

// The integral of a rate that rises from a to b in R seconds is a t + (b - a) t^2 / 2R.
TEST(Schedule, ARampRisesOnAStraightLine) {
  Schedule schedule({.per_second = 3'000, .from_per_second = 1'000, .ramp_ns = 2 * kNsPerSecond}, Arrivals::kConstant,
                    1);
  std::vector<std::size_t> sends(4);
  for (; schedule.due_ns() < 4 * kNsPerSecond; schedule.advance()) ++sends[schedule.due_ns() / kNsPerSecond];
  EXPECT_NEAR(static_cast<double>(sends[0]), 1'500, 1);
  EXPECT_NEAR(static_cast<double>(sends[1]), 2'500, 1);
  EXPECT_NEAR(static_cast<double>(sends[2]), 3'000, 1);
  EXPECT_NEAR(static_cast<double>(sends[3]), 3'000, 1);
}

TEST(Schedule, ARampFromNothingStartsAtOnceAndMayAlsoFall) {
  Schedule rising({.per_second = 1'000, .ramp_ns = kNsPerSecond}, Arrivals::kConstant, 1);
  EXPECT_EQ(rising.due_ns(), 0U);
  rising.advance();
  EXPECT_NEAR(static_cast<double>(rising.due_ns()), std::sqrt(2.0 / 1'000) * 1e9, 2);
  Schedule falling({.per_second = 1, .from_per_second = 1'999, .ramp_ns = kNsPerSecond}, Arrivals::kConstant, 1);
  std::uint64_t before_ns = 0;
  for (int i = 0; i < 1'001; ++i, falling.advance()) {
    ASSERT_GE(falling.due_ns(), before_ns);
    before_ns = falling.due_ns();
  }
  EXPECT_GT(falling.due_ns(), kNsPerSecond);
}

TEST(Schedule, PoissonFollowsTheRampToo) {
  Schedule schedule({.per_second = 40'000, .ramp_ns = 2 * kNsPerSecond}, Arrivals::kPoisson, 5);
  std::vector<double> sends(3);
  for (; schedule.due_ns() < 3 * kNsPerSecond; schedule.advance()) ++sends[schedule.due_ns() / kNsPerSecond];
  EXPECT_NEAR(sends[0], 10'000, 500);  // five deviations
  EXPECT_NEAR(sends[1], 30'000, 870);
  EXPECT_NEAR(sends[2], 40'000, 1'000);
}

TEST(ServiceTime, BimodalDrawsHaveTheirShare) {
  Random random(3);
  const ServiceTime bimodal{
      .form = ServiceTime::Form::kBimodal, .mean_ns = 500, .rare_ns = 500'000, .rare_share = 0.005};
  int rare = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t drawn = bimodal.draw_ns(random);
    ASSERT_TRUE(drawn == 500 || drawn == 500'000);
    rare += drawn == 500'000 ? 1 : 0;
  }
  EXPECT_NEAR(rare, 500, 112);  // five deviations
}

TEST(ServiceTime, LognormalDrawsHaveTheirMeanAndMedian) {
  Random random(3);
  const ServiceTime lognormal{.form = ServiceTime::Form::kLognormal, .mean_ns = 50'000, .sigma = 1};
  double sum = 0;
  int below_median = 0;
  const double median = 50'000 * std::exp(-0.5);
  for (int i = 0; i < 200'000; ++i) {
    const auto drawn = static_cast<double>(lognormal.draw_ns(random));
    sum += drawn;
    below_median += drawn < median ? 1 : 0;
  }
  // Five standard errors: of the mean sqrt(e - 1) / sqrt(200,000) = 0.3 % each.
  EXPECT_NEAR(sum / 200'000, 50'000, 50'000 * 0.015);
  EXPECT_NEAR(below_median, 100'000, 1'120);
}

TEST(ServiceTime, TheSeedMakesTheDraws) {
  const ServiceTime lognormal{.form = ServiceTime::Form::kLognormal, .mean_ns = 50'000, .sigma = 2};
  Random a(7), b(7), c(8);
  std::vector<std::uint64_t> first, second, other;
  for (int i = 0; i < 100; ++i) {
    first.push_back(lognormal.draw_ns(a));
    second.push_back(lognormal.draw_ns(b));
    other.push_back(lognormal.draw_ns(c));
  }
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other);
}

TEST(ServiceTime, DrawsHaveTheirMean) {
  Random random(3);
  EXPECT_EQ((ServiceTime{.form = ServiceTime::Form::kNone, .mean_ns = 500}.draw_ns(random)), 0U);
  EXPECT_EQ((ServiceTime{.form = ServiceTime::Form::kConstant, .mean_ns = 500}.draw_ns(random)), 500U);
  const ServiceTime exponential{.form = ServiceTime::Form::kExponential, .mean_ns = 50'000};
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += static_cast<double>(exponential.draw_ns(random));
  EXPECT_NEAR(sum / 100'000, 50'000, 50'000 * 0.016);
}

}  // namespace
}  // namespace mcplane::loadgen
