// The arithmetic of a log-linear histogram (after HdrHistogram): each power of two is cut into equal buckets, so a
// value's bucket is off by at most one part in kSubBuckets, over the whole range and in fixed memory. Values below
// 2 * kSubBuckets have a bucket each; above, the shift that leaves kSubBucketBits + 1 significant bits names the power
// of two. Pure functions; who counts keeps the counts.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mcplane {

// Values of 2^kValueBits and more count in the last bucket.
template <unsigned kValueBits, unsigned kSubBucketBits>
struct LogLinear {
  static constexpr std::size_t kSubBuckets = std::size_t{1} << kSubBucketBits;
  static constexpr std::size_t kBuckets = (kValueBits - kSubBucketBits + 1) * kSubBuckets;

  static constexpr unsigned kShiftMax = 63 - kSubBucketBits;

  static constexpr std::size_t bucket_of(std::uint64_t value) noexcept {
    return bucket_in_range(std::min(value, (std::uint64_t{1} << kValueBits) - 1));
  }
  // Of a value below 2^kValueBits.
  static constexpr std::size_t bucket_in_range(std::uint64_t in_range) noexcept {
    // Above as many bits as are always significant.
    const auto zeros = static_cast<unsigned>(std::countl_zero(in_range | (2 * kSubBuckets - 1)));
    const std::uint64_t shift = kShiftMax - zeros, significant = in_range >> shift;
    return static_cast<std::size_t>((shift << kSubBucketBits) + significant);
  }

  static constexpr std::uint64_t upper_edge_of(std::size_t bucket) noexcept {
    if (bucket < 2 * kSubBuckets) return bucket;
    const std::size_t shift = (bucket >> kSubBucketBits) - 1;
    const std::uint64_t significant = bucket - (shift << kSubBucketBits);
    return ((significant + 1) << shift) - 1;
  }

  // The upper edge of the first bucket that `percent` (0-100) of the `total` values counted do not exceed, never above
  // `max`, the largest of them. 0 when there are none.
  static constexpr std::uint64_t percentile(std::span<const std::uint64_t, kBuckets> counts, std::uint64_t total,
                                            std::uint64_t max, double percent) noexcept {
    if (total == 0) return 0;
    const double exact_rank = static_cast<double>(total) * percent / 100.0;
    auto rank = static_cast<std::uint64_t>(exact_rank);
    if (static_cast<double>(rank) < exact_rank) ++rank;
    rank = std::clamp<std::uint64_t>(rank, 1, total);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i + 1 < kBuckets; ++i) {
      seen += counts[i];
      if (seen >= rank) return std::min(upper_edge_of(i), max);
    }
    return max;  // the last bucket also holds what is beyond the range
  }
};

}  // namespace mcplane
