// What a shard measures of a worker's round trip.
#include "state/worker_pace.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mcplane::state {
namespace {

double ratio_of(const WorkerPace& pace) { return std::exp2(pace.read().mean_log2 / std::exp2(kPaceFractionBits)); }

TEST(PaceLog2, IsExactAtPowersOfTwoAndNearBetween) {
  for (unsigned bit = 0; bit < 32; ++bit)
    EXPECT_EQ(pace_log2(1U << bit), static_cast<std::int32_t>(bit << kPaceFractionBits)) << bit;
  for (std::uint32_t value = 1; value < 100'000; value += 7) {
    const double low = std::log2(value) - pace_log2(value) / std::exp2(kPaceFractionBits);
    EXPECT_GE(low, -1e-4) << value;
    EXPECT_LE(low, 0.09) << value;
  }
  EXPECT_LT(pace_log2(0xffff'ffffU), pace_log2(1U << 31) + (1 << kPaceFractionBits));
}

TEST(WorkerPace, IsTheGeometricMeanOfRatios) {
  WorkerPace pace;
  EXPECT_EQ(pace.read().samples, 0U);
  pace.note(64, 16);
  EXPECT_DOUBLE_EQ(ratio_of(pace), 4.0);
  pace.note(16, 64);
  EXPECT_DOUBLE_EQ(ratio_of(pace), 1.0);
  EXPECT_EQ(pace.read().samples, 2U);
}

TEST(WorkerPace, OneLongTaskInAHundredDoesNotHideTheShortOnes) {
  WorkerPace pace;
  for (int i = 1; i <= 1'000; ++i) pace.note(32, i % 100 == 0 ? 16'000 : 16);
  EXPECT_NEAR(ratio_of(pace), 1.87, 0.25);  // 2^0.9: a hundredth of the weight at a thousandth
}

TEST(WorkerPace, ALostFrameIsNoLongWay) {
  WorkerPace pace;
  for (int i = 0; i < 100; ++i) pace.note(64, 1'024);
  pace.note(200'000, 1'024);
  EXPECT_LT(ratio_of(pace), 1.2 / 16);
}

TEST(WorkerPace, FollowsAChangeWithinAFewWindows) {
  WorkerPace pace;
  for (int i = 0; i < 10'000; ++i) pace.note(16, 1'024);
  EXPECT_EQ(pace.read().samples, WorkerPace::kWindow);
  for (std::uint32_t i = 0; i < 6 * WorkerPace::kWindow; ++i) pace.note(1'024, 16);
  EXPECT_NEAR(ratio_of(pace), 64.0, 3.0);
}

TEST(WorkerPace, NothingMeasurableCountsAsAMicrosecond) {
  WorkerPace pace;
  pace.note(0, 0);
  EXPECT_DOUBLE_EQ(ratio_of(pace), 1.0);
  pace.reset();
  EXPECT_EQ(pace.read().samples, 0U);
  pace.note(0xffff'ffffU, 0);
  EXPECT_GT(ratio_of(pace), 4e9);
}

}  // namespace
}  // namespace mcplane::state
