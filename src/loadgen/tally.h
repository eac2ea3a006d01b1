// What a run counted. Written by the client thread, read by others after it ended; Progress is what they may see
// before.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "loadgen/chunk_ledger.h"
#include "loadgen/histogram.h"
#include "loadgen/outcomes.h"

namespace mcplane::loadgen {

// What happened in one interval (Options::interval_ns) of a run.
struct Interval {
  std::uint64_t from_ns = 0, length_ns = 0;  // since the first task was due
  std::uint64_t sent = 0, delivered = 0, refused = 0, lost = 0;
  std::uint64_t p50_ns = 0, p99_ns = 0, p999_ns = 0, max_ns = 0;
  bool measured = false;  // some of it
};

// Counters cover the whole run; histograms (ns) and `measured` only answers to tasks of the measured part.
struct Tally {
  std::uint64_t sent = 0;
  std::array<std::uint64_t, kEndings> endings{};
  std::uint64_t mismatched = 0;       // delivered, but not the bytes that were asked for
  std::uint64_t duplicates = 0;       // outcomes for a task that had its outcome
  std::uint64_t late = 0;             // sent more than kLateNs after it was due
  std::uint64_t skipped = 0;          // due, but no client had a free slot
  std::uint64_t repeated_frames = 0;  // outcomes the engines recognised as repeats: harmless
  std::uint64_t dropped_frames = 0;   // unsound or foreign datagrams
  std::uint64_t offered = 0;          // due within the measured part, sent or skipped
  std::uint64_t measured = 0;         // answers received within the measured part
  std::uint64_t measured_ns = 0;      // its length; shorter than asked for when interrupted
  Histogram latency, queued, worker, broker;
  Histogram rejected;                // from send to REJECT
  std::vector<Interval> intervals;   // the whole run, at most kIntervalsMax of it
  std::optional<ChunkTally> chunks;  // of streams

  std::uint64_t of(Ending ending) const noexcept { return endings[static_cast<std::size_t>(ending)]; }
  std::uint64_t delivered() const noexcept { return of(Ending::kDelivered); }
  std::uint64_t degraded() const noexcept { return of(Ending::kDegraded); }
  std::uint64_t lost() const noexcept { return of(Ending::kNoAnswer) + of(Ending::kBrokerLost); }
  // Tasks with an outcome that is neither an answer nor a loss.
  std::uint64_t refused() const noexcept;
  double measured_rate() const noexcept;
  double offered_rate() const noexcept;
  // Adds what `other` counted, but for what was measured: that stays this one's.
  void add_counts(const Tally& other) noexcept;
};

inline constexpr std::size_t kIntervalsMax = 86'400;
inline constexpr std::uint64_t kLateNs = 1'000'000;

// Written by: the client thread, once a second. Read by: the main thread. Relaxed: each field is a display value of its
// own, and nothing is inferred from two of them together.
struct Progress {
  std::atomic<std::uint64_t> sent{0}, delivered{0}, refused{0}, lost{0}, in_flight{0};
  // rate: of the last second, the others of the last interval.
  std::atomic<std::uint64_t> rate{0}, p50_ns{0}, p99_ns{0};
  std::atomic<std::uint64_t> updates{0};
  std::uint64_t delivered_before = 0;  // the writer's: when it last published

  struct Counts {
    std::uint64_t sent = 0, delivered = 0, refused = 0, lost = 0, in_flight = 0;
  };
  // Once a second.
  void publish(const Counts& now) noexcept;
};

}  // namespace mcplane::loadgen
