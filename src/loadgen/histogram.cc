// Values below 256 have a bucket each; above, the shift that leaves 8 significant bits names the power of two.
// See histogram.h.
#include "loadgen/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mcplane::loadgen {

Histogram::Histogram() : counts_(kBuckets, 0) {}

std::size_t Histogram::bucket_of(std::uint64_t value) noexcept {
  const std::uint64_t in_range = std::min(value, (std::uint64_t{1} << kValueBits) - 1);
  const auto width = static_cast<unsigned>(std::bit_width(in_range));
  const unsigned shift = width > kSubBucketBits + 1 ? width - (kSubBucketBits + 1) : 0;
  return (std::size_t{shift} << kSubBucketBits) + static_cast<std::size_t>(in_range >> shift);
}

std::uint64_t Histogram::upper_edge_of(std::size_t bucket) noexcept {
  if (bucket < 2 * kSubBuckets) return bucket;
  const std::size_t shift = (bucket >> kSubBucketBits) - 1;
  const std::uint64_t significant = bucket - (shift << kSubBucketBits);
  return ((significant + 1) << shift) - 1;
}

void Histogram::record(std::uint64_t value) noexcept {
  ++counts_[bucket_of(value)];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() noexcept {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = max_ = sum_ = 0;
}

double Histogram::mean() const noexcept {
  return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::uint64_t Histogram::percentile(double percent) const noexcept {
  if (count_ == 0) return 0;
  const double exact_rank = std::ceil(static_cast<double>(count_) * percent / 100.0);
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::max(exact_rank, 1.0)), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i + 1 < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(upper_edge_of(i), max_);
  }
  return max_;  // the last bucket also holds what is beyond the range
}

}  // namespace mcplane::loadgen
