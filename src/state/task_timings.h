// How long production's tasks took on one core: counts by duration, added up when they are read. Single writer (the
// core), read by the control thread at any time; relaxed like all counters.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/log_linear.h"
#include "base/types.h"
#include "state/counters.h"

namespace mcplane::state {

// Nanoseconds, 3 % a bucket, up to three days.
struct Durations {
  using Buckets = LogLinear<48, 5>;

  std::array<Counter, Buckets::kBuckets> counts;
  Counter sum_ns;

  // The owning core. Below 2^48.
  void add(std::uint64_t ns) noexcept { add_times(ns, 1); }
  void add_times(std::uint64_t ns, std::uint64_t times) noexcept {
    counts[Buckets::bucket_in_range(ns)].add(times);
    sum_ns.add(ns * times);
  }
  void add_none(std::uint64_t times) noexcept { counts[0].add(times); }
};

struct alignas(kCacheLineBytes) TaskTimings {
  Durations queue;  // from a SEND that was accepted to its first ROUTE
  // What of an answered task's time the core took itself: to its last ROUTE, in whole microseconds, and from its RESULT
  // to the DELIVER.
  Durations broker;
  // From a SEND that was accepted to its RESULT, or to its end without one. Who loses a RESULT with its worker, before
  // its client has it, counts again.
  Durations task;
};

}  // namespace mcplane::state
