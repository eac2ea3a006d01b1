// Exponential draws by inversion. See schedule.h.
#include "loadgen/schedule.h"

#include <cmath>

#include "base/types.h"

namespace mcplane::loadgen {
namespace {

// unit() is below 1, so the logarithm is finite.
double exponential(double mean, Random& random) noexcept { return -std::log1p(-random.unit()) * mean; }

}  // namespace

Schedule::Schedule(double rate_per_second, Arrivals arrivals, std::uint64_t seed) noexcept
    : gap_mean_ns_(static_cast<double>(kNsPerSecond) / rate_per_second), arrivals_(arrivals), random_(seed) {
  if (arrivals_ == Arrivals::kPoisson) due_ns_ = exponential(gap_mean_ns_, random_);
}

void Schedule::advance() noexcept {
  ++sent_;
  // A product, not a sum: rounding does not pile up over millions of sends.
  due_ns_ = arrivals_ == Arrivals::kConstant ? static_cast<double>(sent_) * gap_mean_ns_
                                             : due_ns_ + exponential(gap_mean_ns_, random_);
}

std::uint64_t ServiceTime::draw_ns(Random& random) const noexcept {
  switch (form) {
    case Form::kNone:
      return 0;
    case Form::kConstant:
      return mean_ns;
    case Form::kExponential:
      return static_cast<std::uint64_t>(exponential(static_cast<double>(mean_ns), random));
  }
  return 0;
}

}  // namespace mcplane::loadgen
