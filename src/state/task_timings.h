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

  // The owning core.
  void add(std::uint64_t ns) noexcept {
    counts[Buckets::bucket_of(ns)].add();
    sum_ns.add(ns);
  }
  void add_none() noexcept { counts[0].add(); }
};

struct alignas(kCacheLineBytes) TaskTimings {
  Durations queue;  // from a SEND that was accepted to its first ROUTE
  // What of an answered task's time the core took itself: to its last ROUTE, in whole microseconds, and from its RESULT
  // to the DELIVER.
  Durations broker;
  // From a SEND that was accepted to its RESULT, or to its end without one. An answer that is lost with its worker and
  // comes again from another counts again.
  Durations task;
};

}  // namespace mcplane::state
