// Every bucket against its neighbours, and percentiles of counts that one can read.
#include "base/log_linear.h"

#include <gtest/gtest.h>

#include <vector>

namespace mcplane {
namespace {

using Coarse = LogLinear<20, 3>;

static_assert(Coarse::bucket_of(0) == 0 && Coarse::upper_edge_of(0) == 0);
static_assert(Coarse::bucket_of(~0ULL) == Coarse::kBuckets - 1);

TEST(LogLinear, EveryValueLiesWithinItsBucket) {
  std::size_t before = 0;
  for (std::uint64_t value = 0; value < (1U << 20); ++value) {
    const std::size_t bucket = Coarse::bucket_of(value);
    ASSERT_TRUE(bucket == before || bucket == before + 1) << value;
    ASSERT_LE(value, Coarse::upper_edge_of(bucket)) << value;
    if (bucket > 0) {
      ASSERT_GT(value, Coarse::upper_edge_of(bucket - 1)) << value;
    }
    ASSERT_LE(Coarse::upper_edge_of(bucket) - value, value / Coarse::kSubBuckets) << value;
    before = bucket;
  }
  EXPECT_EQ(before, Coarse::kBuckets - 1);
}

TEST(LogLinear, PercentilesNameTheBucketAndNeverPassTheMaximum) {
  std::vector<std::uint64_t> counts(Coarse::kBuckets, 0);
  const std::span<const std::uint64_t, Coarse::kBuckets> view(counts);
  EXPECT_EQ(Coarse::percentile(view, 0, 0, 50), 0U);
  counts[Coarse::bucket_of(3)] = 98;
  counts[Coarse::bucket_of(1'000)] = 2;
  EXPECT_EQ(Coarse::percentile(view, 100, 1'000, 50), 3U);
  EXPECT_EQ(Coarse::percentile(view, 100, 1'000, 98), 3U);
  EXPECT_EQ(Coarse::percentile(view, 100, 1'000, 99), 1'000U) << "the bucket's edge is beyond the largest value";
  EXPECT_EQ(Coarse::percentile(view, 100, 5'000, 98.1), Coarse::upper_edge_of(Coarse::bucket_of(1'000)));
}

}  // namespace
}  // namespace mcplane
