// When an open loop sends: times fixed by rate, form and seed alone, so no behaviour of the broker can move them
// (coordinated omission). They are computed as they are needed, which stores nothing and changes nothing.
// One thread.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace mcplane::loadgen {

enum class Arrivals : std::uint8_t { kConstant, kPoisson };

class Schedule {
 public:
  // rate_per_second > 0. Constant: send n is due n / rate after the start. Poisson: gaps are exponential.
  Schedule(double rate_per_second, Arrivals arrivals, std::uint64_t seed) noexcept;

  // Of the next send, since the start of the run.
  std::uint64_t due_ns() const noexcept { return static_cast<std::uint64_t>(due_ns_); }
  void advance() noexcept;

 private:
  double gap_mean_ns_;
  Arrivals arrivals_;
  Random random_;
  std::uint64_t sent_ = 0;
  double due_ns_ = 0;  // 53 bits: below 1 ns of error for 100 days
};

// How long an in-process worker works on a task.
struct ServiceTime {
  enum class Form : std::uint8_t { kNone, kConstant, kExponential };
  Form form = Form::kNone;
  std::uint64_t mean_ns = 0;

  std::uint64_t draw_ns(Random& random) const noexcept;
};

}  // namespace mcplane::loadgen
