// CPU time of one thread, per elapsed time. Any thread may ask while that one lives.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <ctime>

#include "base/types.h"

namespace mcplane::loadgen {

class CpuMeter {
 public:
  explicit CpuMeter(pthread_t thread) noexcept {
    pthread_getcpuclockid(thread, &clock_);
    cpu_ns_ = read_clock_ns(clock_);
    elapsed_ns_ = read_clock_ns(CLOCK_MONOTONIC);
  }
  double share() const noexcept {
    const std::uint64_t elapsed_ns = read_clock_ns(CLOCK_MONOTONIC) - elapsed_ns_;
    return elapsed_ns == 0 ? 0 : static_cast<double>(read_clock_ns(clock_) - cpu_ns_) / static_cast<double>(elapsed_ns);
  }

 private:
  static std::uint64_t read_clock_ns(clockid_t clock) noexcept {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(time.tv_nsec);
  }

  clockid_t clock_{};
  std::uint64_t cpu_ns_ = 0, elapsed_ns_ = 0;
};

}  // namespace mcplane::loadgen
