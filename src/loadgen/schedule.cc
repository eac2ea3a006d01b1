// Exponential draws by inversion, normal ones by Box and Muller's transform. See schedule.h.
#include "loadgen/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/types.h"

namespace mcplane::loadgen {
namespace {

// A day: what a lognormal draw may be at most, so that no tail overflows.
constexpr double kServiceMaxNs = 86'400e9;

// unit() is below 1, so the logarithm is finite.
double exponential(double mean, Random& random) noexcept { return -std::log1p(-random.unit()) * mean; }

double standard_normal(Random& random) noexcept {
  const double radius = std::sqrt(2 * exponential(1, random));
  return radius * std::cos(2 * std::numbers::pi * random.unit());
}

double lognormal(double mean, double sigma, Random& random) noexcept {
  return std::min(mean * std::exp(sigma * standard_normal(random) - sigma * sigma / 2), kServiceMaxNs);
}

}  // namespace

Schedule::Schedule(const RateProfile& profile, Arrivals arrivals, std::uint64_t seed) noexcept
    : gap_mean_ns_(static_cast<double>(kNsPerSecond) / profile.per_second),
      ramp_ns_(static_cast<double>(profile.ramp_ns)),
      ramp_sends_((profile.from_per_second + profile.per_second) / 2 * ramp_ns_ / static_cast<double>(kNsPerSecond)),
      from_per_ns_(profile.from_per_second / static_cast<double>(kNsPerSecond)),
      rise_per_ns_(ramp_ns_ > 0 ? (1 / gap_mean_ns_ - from_per_ns_) / ramp_ns_ : 0),
      arrivals_(arrivals),
      random_(seed) {
  if (arrivals_ != Arrivals::kPoisson) return;
  sends_ = exponential(1, random_);
  due_ns_ = time_of(sends_);
}

void Schedule::advance() noexcept {
  sends_ += arrivals_ == Arrivals::kConstant ? 1 : exponential(1, random_);
  due_ns_ = time_of(sends_);
}

// A product, not a sum: rounding does not pile up over millions of sends. In the ramp the smaller root of
// from * t + rise * t^2 / 2 = sends, in the form that subtracts nothing.
double Schedule::time_of(double sends) const noexcept {
  if (sends >= ramp_sends_) return ramp_ns_ + (sends - ramp_sends_) * gap_mean_ns_;
  if (sends <= 0) return 0;
  const double discriminant = from_per_ns_ * from_per_ns_ + 2 * rise_per_ns_ * sends;
  return 2 * sends / (from_per_ns_ + std::sqrt(std::max(discriminant, 0.0)));
}

std::uint64_t ServiceTime::draw_ns(Random& random) const noexcept {
  switch (form) {
    case Form::kNone:
      return 0;
    case Form::kConstant:
      return mean_ns;
    case Form::kExponential:
      return static_cast<std::uint64_t>(exponential(static_cast<double>(mean_ns), random));
    case Form::kBimodal:
      return random.unit() < rare_share ? rare_ns : mean_ns;
    case Form::kLognormal:
      return static_cast<std::uint64_t>(lognormal(static_cast<double>(mean_ns), sigma, random));
  }
  return 0;
}

}  // namespace mcplane::loadgen
