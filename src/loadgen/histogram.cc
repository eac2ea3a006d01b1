// See histogram.h.
#include "loadgen/histogram.h"

#include <algorithm>
#include <cmath>

namespace mcplane::loadgen {

Histogram::Histogram() : counts_(Buckets::kBuckets, 0) {}

void Histogram::record(std::uint64_t value) noexcept {
  ++counts_[Buckets::bucket_of(value)];
  ++count_;
  sum_ += value;
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
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

double Histogram::standard_deviation() const noexcept {
  if (count_ == 0) return 0;
  const double middle_of_all = mean();
  double squares = 0;
  for_each_bucket([&](std::uint64_t lower, std::uint64_t upper, std::uint64_t count) {
    const double difference = (static_cast<double>(lower) + static_cast<double>(upper)) / 2 - middle_of_all;
    squares += difference * difference * static_cast<double>(count);
  });
  return std::sqrt(squares / static_cast<double>(count_));
}

std::uint64_t Histogram::percentile(double percent) const noexcept {
  return Buckets::percentile(std::span<const std::uint64_t, Buckets::kBuckets>(counts_), count_, max_, percent);
}

}  // namespace mcplane::loadgen
