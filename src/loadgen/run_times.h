// When a run starts, is measured and ends, and in an open loop when its next task is due: by the schedule alone. A task
// belongs to the run when it was due before the end, whenever it is sent. All times are the fleet's, in ns. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "loadgen/options.h"
#include "loadgen/schedule.h"

namespace mcplane::loadgen {

// Of a fleet, in this order; of a sweep's it runs anew after each load.
enum class Phase : std::uint8_t { kConnecting, kRunning, kDraining, kDone };

// From a run's begin until it is done. Only then is there what it has counted: behind it that is taken away.
constexpr bool is_counting(Phase phase) noexcept { return phase == Phase::kRunning || phase == Phase::kDraining; }

class RunTimes {
 public:
  // Measured behind the profile's ramp and the warm-up. The start may be to come.
  void begin(std::uint64_t start_ns, const RateProfile& profile, const Options& options) noexcept {
    if (options.open_loop()) schedule_.emplace(profile, options.arrivals, options.seed);
    start_ns_ = start_ns;
    measure_from_ns_ = start_ns + profile.ramp_ns + options.warmup_ns;
    end_ns_ = measure_from_ns_ + options.duration_ns;
  }
  void end_by(std::uint64_t now_ns) noexcept { end_ns_ = std::min(end_ns_, now_ns); }

  std::uint64_t start_ns() const noexcept { return start_ns_; }
  std::uint64_t measure_from_ns() const noexcept { return measure_from_ns_; }
  std::uint64_t end_ns() const noexcept { return end_ns_; }
  std::uint64_t measured_ns() const noexcept { return end_ns_ - std::min(measure_from_ns_, end_ns_); }
  bool measures(std::uint64_t now_ns) const noexcept { return now_ns >= measure_from_ns_ && now_ns < end_ns_; }

  // In a closed loop nothing is due by a schedule.
  bool due(std::uint64_t now_ns) const noexcept { return schedule_ && due_ns() <= now_ns && due_ns() < end_ns_; }
  // Of an open loop that has begun: its next task.
  std::uint64_t due_ns() const noexcept { return start_ns_ + schedule_->due_ns(); }
  void advance() noexcept { schedule_->advance(); }

 private:
  std::optional<Schedule> schedule_;
  std::uint64_t start_ns_ = 0, measure_from_ns_ = 0, end_ns_ = 0;
};

}  // namespace mcplane::loadgen
