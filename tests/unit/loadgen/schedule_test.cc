// Send times: their mean, their form, and that the seed alone makes them.
#include "loadgen/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/types.h"

namespace mcplane::loadgen {
namespace {

std::vector<std::uint64_t> times(double rate, Arrivals arrivals, std::uint64_t seed, std::size_t count) {
  Schedule schedule(rate, arrivals, seed);
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

TEST(ServiceTime, DrawsHaveTheirMean) {
  Random random(3);
  EXPECT_EQ((ServiceTime{ServiceTime::Form::kNone, 500}.draw_ns(random)), 0U);
  EXPECT_EQ((ServiceTime{ServiceTime::Form::kConstant, 500}.draw_ns(random)), 500U);
  const ServiceTime exponential{ServiceTime::Form::kExponential, 50'000};
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) sum += static_cast<double>(exponential.draw_ns(random));
  EXPECT_NEAR(sum / 100'000, 50'000, 50'000 * 0.016);
}

}  // namespace
}  // namespace mcplane::loadgen
