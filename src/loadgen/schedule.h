// When an open loop sends: times fixed by rates, form and seed alone, so no behaviour of the broker can move them
// (coordinated omission). They are computed as they are needed, which stores nothing and changes nothing.
// One thread.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace mcplane::loadgen {

enum class Arrivals : std::uint8_t { kConstant, kPoisson };

// The rate over time: `per_second` from ramp_ns on, and before that on a straight line from `from_per_second` to it.
struct RateProfile {
  double per_second = 1;  // > 0
  double from_per_second = 0;
  std::uint64_t ramp_ns = 0;
};

class Schedule {
 public:
  // Constant: send n is due when the rate's integral reaches n. Poisson: gaps of that integral are exponential, which
  // makes the process an inhomogeneous one of that rate.
  Schedule(const RateProfile& profile, Arrivals arrivals, std::uint64_t seed) noexcept;

  // Of the next send, since the start of the run.
  std::uint64_t due_ns() const noexcept { return static_cast<std::uint64_t>(due_ns_); }
  void advance() noexcept;

 private:
  double time_of(double sends) const noexcept;

  double gap_mean_ns_;  // behind the ramp
  double ramp_ns_;
  double ramp_sends_;   // the rate's integral over the ramp
  double from_per_ns_;  // the rate the ramp starts with
  double rise_per_ns_;  // how much the rate changes in each nanosecond of the ramp
  Arrivals arrivals_;
  Random random_;
  double sends_ = 0;   // the rate's integral up to the next send
  double due_ns_ = 0;  // 53 bits: below 1 ns of error for 100 days
};

// How long an in-process worker works on a task.
struct ServiceTime {
  enum class Form : std::uint8_t { kNone, kConstant, kExponential, kBimodal, kLognormal };
  Form form = Form::kNone;
  std::uint64_t mean_ns = 0;  // bimodal: of most tasks
  std::uint64_t rare_ns = 0;  // bimodal: of the others
  double rare_share = 0;      // bimodal: how many those are, 0 to 1
  double sigma = 0;           // lognormal: deviation of the logarithm

  std::uint64_t draw_ns(Random& random) const noexcept;
};

}  // namespace mcplane::loadgen
