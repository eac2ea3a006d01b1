// What a shard counts. Single writer (its core), read by the control thread at any time.
// Counters are monotonic; relaxed order: a reader wants a recent value, not an edge.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/drop_reason.h"
#include "base/types.h"
#include "wire/header.h"

namespace mcplane::state {

class Counter {
 public:
  // The owning core only: a plain add, no locked instruction.
  void add(std::uint64_t amount = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t amount = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) - amount, std::memory_order_relaxed);
  }
  std::uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};  // Written by: the owning core.
};

inline constexpr std::size_t kReasons = static_cast<std::size_t>(wire::Reason::MAX) + 1;

struct alignas(kCacheLineBytes) ShardCounters {
  // Every received frame is counted once in `received` and once in exactly one of the next five.
  Counter received, forwarded, handed_off, punted, completed;
  std::array<Counter, kDropReasons> dropped;

  Counter sent;          // frames given to a NIC
  Counter sent_dropped;  // frames a NIC or a relay ring did not take, their buffers freed
  Counter relayed;       // frames left to a core that has a queue of their port; it counts them as sent or dropped
  Counter no_buffer;     // frames of our own that no spare buffer was left for

  // Every accepted task ends in exactly one of delivered, expired_*, *_lost, rejected_late; those not ended yet are in
  // queued or routed. cancelling: ended for the client, the worker's slot not back yet. These three are gauges.
  Counter accepted, delivered, expired_unrouted, expired_routed, worker_lost, client_lost, rejected_late;
  Counter queued, routed, cancelling;
  std::array<Counter, kReasons> rejected;  // REJECTs sent, by reason, accepted or not

  Counter loops, busy_loops;  // of the core; busy: at least one frame or message
};

}  // namespace mcplane::state
