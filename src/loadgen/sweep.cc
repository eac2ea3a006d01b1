// See sweep.h.
#include "loadgen/sweep.h"

#include <algorithm>
#include <cmath>

namespace mcplane::loadgen {

SweepStep step_of(double rate_per_second, const Tally& tally, double busy) noexcept {
  return {.rate_per_second = rate_per_second,
          .offered_per_second = tally.offered_rate(),
          .achieved_per_second = tally.measured_rate(),
          .p50_ns = tally.latency.percentile(50),
          .p99_ns = tally.latency.percentile(99),
          .p999_ns = tally.latency.percentile(99.9),
          .lost = tally.lost(),
          .refused = tally.refused(),
          .late = tally.late,
          .skipped = tally.skipped,
          .busy = busy};
}

std::optional<double> KneeSearch::next_rate() const noexcept {
  if (steps_.empty()) return range_.from_per_second;
  if (held_ == 0 || held_ >= range_.to_per_second) return std::nullopt;
  if (failed_ == 0) return std::min(2 * held_, range_.to_per_second);
  if (failed_ <= kPrecision * held_) return std::nullopt;
  return std::sqrt(held_ * failed_);
}

bool KneeSearch::add(SweepStep step) {
  if (steps_.empty() && p99_max_ns_ == 0) p99_max_ns_ = kP99Growth * step.p99_ns;
  step.kept = step.lost == 0 && step.achieved_per_second > 0 &&
              step.achieved_per_second >= kAnsweredShare * step.offered_per_second && step.p99_ns <= p99_max_ns_;
  (step.kept ? held_ : failed_) = step.rate_per_second;
  steps_.push_back(step);
  return step.kept;
}

}  // namespace mcplane::loadgen
