// Measures one loop in kPeriod while control has measuring on (Shared::perf_run): the cycles each station took, and how
// long the loop's frames stayed. Off, it costs a load and a branch that is always taken alike at begin(), and such a
// branch a lap. Reads only the time-stamp counter, and nothing depends on what it measures. Owner: the shard's core.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "dataplane/shard.h"
#include "state/perf_counters.h"

namespace mcplane::dataplane {

class LoopSampler {
 public:
  // A prime, so that it keeps step with nothing a loop does by turns, such as going round the ports.
  static constexpr std::uint32_t kPeriod = 61;

  LoopSampler(const state::Shared& shared, state::ShardShared& mine) noexcept
      : run_(shared.perf_run), counters_(mine.counters), perf_(mine.perf) {}

  // First in a loop.
  void begin() noexcept {
    if (const std::uint32_t run = run_.load(std::memory_order_relaxed); run != 0) [[unlikely]]
      begin_if_due(run);
  }
  // What was done since the last lap, or since begin(), was this station's.
  void lap(state::Station station) noexcept {
    if (measuring_) [[unlikely]]
      take_lap(station);
  }
  // A burst went through the stations: after dispatch, while its frames are still here.
  void note(std::span<const Frame> frames, std::span<const Verdict> verdicts) noexcept {
    if (measuring_) [[unlikely]]
      note_burst(frames, verdicts);
  }
  // Last in a loop. busy: it did something.
  void end(bool busy) noexcept {
    if (measuring_) [[unlikely]]
      record(busy);
  }

 private:
  static constexpr std::size_t kBursts = 2;  // a loop: of the NIC, of other cores

  struct Burst {
    std::uint64_t received_tsc = 0;
    std::array<std::uint32_t, state::kLegs> frames{};
  };

  void begin_if_due(std::uint32_t run) noexcept;
  void take_lap(state::Station station) noexcept;
  void note_burst(std::span<const Frame> frames, std::span<const Verdict> verdicts) noexcept;
  void record(bool busy) noexcept;
  void start_run(std::uint32_t run, std::uint64_t now_tsc) noexcept;

  const std::atomic<std::uint32_t>& run_;  // pairs with control's relaxed store
  const state::ShardCounters& counters_;
  state::PerfCounters& perf_;

  bool measuring_ = false;
  std::uint32_t seen_run_ = 0, loops_to_go_ = 0;
  std::uint64_t run_began_tsc_ = 0, began_tsc_ = 0, lap_tsc_ = 0, received_tsc_ = 0;
  std::uint64_t accepted_before_ = 0, frames_ = 0;
  std::size_t bursts_ = 0;
  std::array<std::uint64_t, state::kStations> laps_{};
  std::array<Burst, kBursts> burst_{};
};

}  // namespace mcplane::dataplane
