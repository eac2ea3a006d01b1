// Log-linear histogram of durations (base/log_linear.h): each power of two is cut into 128 equal buckets, so a reported
// value is at most 1/128 = 0.79 % above a recorded one, over the whole range and in fixed memory (38 KiB).
// record() costs a few cycles and never allocates. One thread; merge() joins the histograms of several.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/log_linear.h"

namespace mcplane::loadgen {

class Histogram {
 public:
  // Larger values count in the last bucket; max() and mean() stay exact. 2^44 ns are 4.9 h.
  static constexpr unsigned kValueBits = 44;
  static constexpr unsigned kSubBucketBits = 7;

  Histogram();

  void record(std::uint64_t value) noexcept;
  // Exact: the same buckets as if every value of `other` had been recorded here.
  void merge(const Histogram& other) noexcept;
  void clear() noexcept;

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t max() const noexcept { return max_; }
  double mean() const noexcept;
  // Smallest bucket's upper edge that `percent` (0-100) of the values do not exceed, never above max(). 0 when empty.
  std::uint64_t percentile(double percent) const noexcept;

  // Of the middles of the buckets: as near as those are narrow.
  double standard_deviation() const noexcept;
  // fn(lower edge, upper edge, count) for every bucket that holds values, ascending; edges are inclusive.
  template <class Fn>
  void for_each_bucket(Fn fn) const {
    for (std::size_t i = 0; i < counts_.size(); ++i)
      if (counts_[i] > 0) fn(i == 0 ? 0 : Buckets::upper_edge_of(i - 1) + 1, Buckets::upper_edge_of(i), counts_[i]);
  }

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  using Buckets = LogLinear<kValueBits, kSubBucketBits>;

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace mcplane::loadgen
