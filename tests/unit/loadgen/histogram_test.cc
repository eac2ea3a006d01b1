// The histogram against the sorted list of what was recorded.
#include "loadgen/histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace mcplane::loadgen {
namespace {

constexpr double kErrorMax = 1.0 / 128;

Histogram histogram_of(const std::vector<std::uint64_t>& values) {
  Histogram histogram;
  for (const auto value : values) histogram.record(value);
  return histogram;
}

// Durations of every magnitude from 1 ns to 4.8 h, equally often.
rc::Gen<std::uint64_t> durations() {
  return rc::gen::map(
      rc::gen::pair(rc::gen::inRange(0, 44), rc::gen::arbitrary<std::uint64_t>()),
      [](const std::pair<int, std::uint64_t>& drawn) { return drawn.second % (std::uint64_t{1} << drawn.first); });
}

TEST(Histogram, EmptyOneSaysZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(99), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.mean(), 0.0);
}

TEST(Histogram, SmallValuesAreExact) {
  std::vector<std::uint64_t> values;
  for (std::uint64_t v = 1; v <= 200; ++v) values.push_back(v);
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(histogram.percentile(0), 1U);
  EXPECT_EQ(histogram.percentile(50), 100U);
  EXPECT_EQ(histogram.percentile(99), 198U);
  EXPECT_EQ(histogram.percentile(100), 200U);
  EXPECT_DOUBLE_EQ(histogram.mean(), 100.5);
}

TEST(Histogram, AnHourIsWithinTheErrorAndTheMaximumExact) {
  const std::uint64_t hour_ns = 3'600'000'000'123;
  const Histogram histogram = histogram_of({hour_ns - 1, hour_ns});
  EXPECT_EQ(histogram.max(), hour_ns);
  EXPECT_NEAR(static_cast<double>(histogram.percentile(50)), static_cast<double>(hour_ns),
              static_cast<double>(hour_ns) * kErrorMax);
}

TEST(Histogram, BeyondTheRangeOnlyTheMaximumIsKept) {
  const std::uint64_t huge = 1ULL << 60;
  const Histogram histogram = histogram_of({5, huge});
  EXPECT_EQ(histogram.max(), huge);
  EXPECT_EQ(histogram.percentile(50), 5U);
  EXPECT_EQ(histogram.percentile(100), huge);
}

TEST(Histogram, EveryPowerOfTwoAndItsNeighboursStayInTheErrorBound) {
  for (unsigned bit = 1; bit < Histogram::kValueBits; ++bit)
    for (const std::uint64_t value : {(1ULL << bit) - 1, 1ULL << bit, (1ULL << bit) + 1}) {
      const std::uint64_t read = histogram_of({value, 1ULL << 45}).percentile(50);
      EXPECT_GE(read, value);
      EXPECT_LE(static_cast<double>(read), static_cast<double>(value) * (1 + kErrorMax));
    }
}

TEST(Histogram, PercentilesFollowTheSortedList) {
  const bool holds = rc::check("percentile is at least the value of its rank, and at most 1/128 above", [] {
    auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::uint64_t>>(durations()));
    const double percent = *rc::gen::element(1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0);
    const Histogram histogram = histogram_of(values);
    std::sort(values.begin(), values.end());
    const double rank = std::max(1.0, std::ceil(static_cast<double>(values.size()) * percent / 100.0));
    const std::uint64_t exact = values[static_cast<std::size_t>(rank) - 1];
    const std::uint64_t read = histogram.percentile(percent);
    RC_ASSERT(read >= exact);
    RC_ASSERT(static_cast<double>(read) <= static_cast<double>(exact) * (1 + kErrorMax));
    RC_ASSERT(histogram.max() == values.back());
    RC_ASSERT(histogram.count() == values.size());
  });
  EXPECT_TRUE(holds);
}

TEST(Histogram, MergeIsTheUnion) {
  const bool holds = rc::check("merge equals recording both lists in one", [] {
    const auto left = *rc::gen::container<std::vector<std::uint64_t>>(durations());
    const auto right = *rc::gen::container<std::vector<std::uint64_t>>(durations());
    auto both = left;
    both.insert(both.end(), right.begin(), right.end());
    Histogram merged = histogram_of(left);
    merged.merge(histogram_of(right));
    RC_ASSERT(merged == histogram_of(both));
  });
  EXPECT_TRUE(holds);
}

TEST(Histogram, ClearForgetsEverything) {
  Histogram histogram = histogram_of({1, 1'000'000, 1ULL << 50});
  histogram.clear();
  EXPECT_EQ(histogram, Histogram());
}

TEST(Histogram, BucketsTileTheRangeAndCountEverything) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 5'000; ++value) histogram.record(value);
  std::uint64_t next = 0, count = 0;
  histogram.for_each_bucket([&](std::uint64_t lower, std::uint64_t upper, std::uint64_t here) {
    EXPECT_EQ(lower, next);
    EXPECT_GE(upper, lower);
    next = upper + 1;
    count += here;
  });
  EXPECT_EQ(count, 5'000U);
  EXPECT_GE(next, 5'000U);
}

// Recorded again at their upper edges, as a reader of the JSON would, buckets are the same buckets.
TEST(Histogram, AnotherReaderCanMergeItsBuckets) {
  Histogram histogram, again;
  Random random(3);
  for (int i = 0; i < 10'000; ++i) histogram.record(random.next() >> (20 + random.below(40)));
  histogram.for_each_bucket([&](std::uint64_t, std::uint64_t upper, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) again.record(upper);
  });
  for (const double percent : {1.0, 50.0, 99.0, 99.9})
    EXPECT_EQ(again.percentile(percent), histogram.percentile(percent)) << percent;
}

TEST(Histogram, StandardDeviationIsThatOfTheValues) {
  Histogram histogram;
  EXPECT_EQ(histogram.standard_deviation(), 0);
  for (std::uint64_t i = 1; i <= 1'000; ++i) histogram.record(i * 1'000);
  EXPECT_NEAR(histogram.standard_deviation(), 288'675, 1'000);
}

}  // namespace
}  // namespace mcplane::loadgen
