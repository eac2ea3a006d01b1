// How long a worker's round trip is, measured in its own service times: what says how far ahead of free slots tasks
// have to be sent so that no slot stands idle while a RESULT and the next ROUTE are on their way. Kept by the cores in
// the worker's line, which a RESULT writes to anyway; read by control (control/workers/look_ahead.h).
//
// It is the mean of log2(round trip ÷ service time), so of the ratios' geometric mean: one task in a hundred that takes
// a thousand times as long does not hide that most need the next one at hand, and a frame that was lost once does not
// count as a long way. Only tasks that found their slot free are noted: their time in the worker is service time alone.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

namespace mcplane::state {

inline constexpr unsigned kPaceFractionBits = 16;

// log2 with kPaceFractionBits behind the point, linear between powers of two: at most 0.09 too low. value > 0.
constexpr std::int32_t pace_log2(std::uint32_t value) noexcept {
  const auto exponent = static_cast<std::uint32_t>(std::bit_width(value)) - 1;
  const std::uint32_t fraction = (value << (31 - exponent)) & 0x7fff'ffffU;
  return static_cast<std::int32_t>(exponent << kPaceFractionBits | fraction >> (31 - kPaceFractionBits));
}

class WorkerPace {
 public:
  static constexpr std::uint32_t kWindow = 64;  // samples that the mean forgets by

  // Cores. Below 1 us counts as 1 us.
  void note(std::uint32_t round_trip_us, std::uint32_t service_us) noexcept {
    const std::int32_t sample = pace_log2(std::max(round_trip_us, 1U)) - pace_log2(std::max(service_us, 1U));
    const Seen seen = read();
    const std::uint32_t samples = std::min(seen.samples + 1, kWindow);
    const std::int32_t mean = seen.mean_log2 + (sample - seen.mean_log2) / static_cast<std::int32_t>(samples);
    word_.store(std::uint64_t{samples} << 32 | static_cast<std::uint32_t>(mean), std::memory_order_relaxed);
  }
  // Control, before the worker's session starts.
  void reset() noexcept { word_.store(0, std::memory_order_relaxed); }

  struct Seen {
    std::int32_t mean_log2 = 0;
    std::uint32_t samples = 0;  // behind it, at most kWindow
  };
  // Any thread.
  Seen read() const noexcept {
    const std::uint64_t word = word_.load(std::memory_order_relaxed);
    return {static_cast<std::int32_t>(static_cast<std::uint32_t>(word)), static_cast<std::uint32_t>(word >> 32)};
  }

 private:
  // Written by: core loops; reset by control while no core knows the worker. Relaxed, load and store: of two cores that
  // note at once one's sample is lost, which a mean can do without, and nothing is published by it.
  std::atomic<std::uint64_t> word_{0};
};

}  // namespace mcplane::state
