// A sweep looks for the knee: the highest rate at which the broker still answers what it is asked, in time. Rates
// double from the first of the range until one fails or the last is reached; the gap between the highest that held and
// the lowest that failed is then bisected, on a logarithmic scale. Pure; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "loadgen/options.h"
#include "loadgen/tally.h"

namespace mcplane::loadgen {

// One rate of a sweep, and what came of it.
struct SweepStep {
  double rate_per_second = 0;  // asked for
  double offered_per_second = 0, achieved_per_second = 0;
  std::uint64_t p50_ns = 0, p99_ns = 0, p999_ns = 0;
  std::uint64_t lost = 0, refused = 0, late = 0, skipped = 0;
  double busy = 0;    // share of our own time
  bool kept = false;  // the rate held
};

SweepStep step_of(double rate_per_second, const Tally& tally, double busy) noexcept;

class KneeSearch {
 public:
  // A rate holds when at least this share of it is answered, ...
  static constexpr double kAnsweredShare = 0.99;
  // ... and its p99 is within the bound, which without one is this many times the lowest rate's.
  static constexpr std::uint64_t kP99Growth = 10;
  // The knee is known when the next rate that failed is no further away.
  static constexpr double kPrecision = 1.05;

  KneeSearch(const SweepRange& range, std::uint64_t p99_max_ns) noexcept : range_(range), p99_max_ns_(p99_max_ns) {}

  // What to load next; nullopt: the search has ended.
  std::optional<double> next_rate() const noexcept;
  // Of next_rate(). Whether it held.
  bool add(SweepStep step);

  const std::vector<SweepStep>& steps() const noexcept { return steps_; }
  double knee_per_second() const noexcept { return held_; }  // 0: not even the first rate held
  std::uint64_t p99_max_ns() const noexcept { return p99_max_ns_; }

 private:
  SweepRange range_;
  std::uint64_t p99_max_ns_;
  double held_ = 0, failed_ = 0;  // the highest that held, the lowest that failed; 0: none
  std::vector<SweepStep> steps_;
};

}  // namespace mcplane::loadgen
