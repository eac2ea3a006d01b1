// What a core tells control of a task that is traced, when it ends: plain values, by one SPSC ring a core. Control
// makes spans of them (control/tracing.cc). A full ring costs a record, which is counted, and never the core's time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <type_traits>

#include "base/types.h"
#include "net/ring.h"
#include "state/counters.h"
#include "wire/route_table.h"
#include "wire/trace.h"

namespace mcplane::state {

struct SpanRecord {
  wire::TaskTrace trace;
  std::uint64_t received_ns = 0;  // the SEND came; of the shard's clock, as all of them
  std::uint64_t routed_ns = 0;    // the last worker was chosen; 0: none ever was
  std::uint64_t left_ns = 0;      // its ROUTE had left
  std::uint64_t answered_ns = 0;  // its RESULT came; 0: none did
  std::uint64_t ended_ns = 0;     // the DELIVER or REJECT had left, or there was nobody to tell
  SessionId client, worker;       // 0: no worker ever had it
  std::uint32_t worker_us = 0;    // by the worker's own account
  std::uint16_t flags = 0;        // the SEND's, with those of the trace
  wire::Reason reason = wire::Reason::Ok;
  std::uint8_t attempt = 0;
  bool attempt_only = false;  // this attempt has ended, the task goes on
  wire::Substitute substitute = wire::Substitute::None;
  std::uint8_t action_length = 0;  // 0: the SEND was not read so far
  std::array<char, wire::kNameBytesMax + 1> action{};

  bool failed() const noexcept { return reason != wire::Reason::Ok; }
};
static_assert(std::is_trivially_copyable_v<SpanRecord> && sizeof(SpanRecord) % 4 == 0);

struct SpanMailbox {
  static constexpr std::size_t kSlots = 1'024;

  net::SpscRing<SpanRecord> ring{kSlots};
  Counter dropped;  // records there was no room for
};

// Which tasks are traced besides those whose SEND says so, and those that fail. Relaxed: bounds for tasks to come.
struct alignas(kCacheLineBytes) TraceBounds {
  // Written by: control.
  std::atomic<std::uint64_t> sample_from{wire::kSampleNone};  // wire::is_taken
  std::atomic<std::uint64_t> slow_ns{~std::uint64_t{0}};      // from the SEND's arrival to the RESULT's
};

}  // namespace mcplane::state
