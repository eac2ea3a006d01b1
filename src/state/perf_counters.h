// Where a core's cycles go, from the loops it measures while control has measuring on. Single writer (the core), read
// by the control thread at any time; relaxed like all counters. Cycles are of the time-stamp counter.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/log_linear.h"
#include "base/types.h"
#include "state/counters.h"

namespace mcplane::state {

// What a loop does, in its order.
enum class Station : std::uint8_t {
  kRx,        // NIC receive, and the rings from other cores
  kIngress,   // checks of every byte that counts
  kDispatch,  // route and complete, and settling the verdicts
  kCommands,  // the mailbox from control
  kTimers,    // timers, and the sweep of ending sessions
  kWaiting,   // waiting tasks to workers with room
  kAcks,
  kEgress,
  kTx,     // NIC transmit, and giving buffers back
  kOther,  // the clock, spare buffers
  kCount
};

inline constexpr std::size_t kStations = static_cast<std::size_t>(Station::kCount);
inline constexpr std::array<std::string_view, kStations> kStationNames = {
    "rx", "ingress", "dispatch", "commands", "timers", "waiting", "acks", "egress", "tx", "other"};

// The two ways of a task through the broker.
enum class Leg : std::uint8_t { kRoute, kDeliver, kCount };  // SEND to ROUTE, RESULT to DELIVER
inline constexpr std::size_t kLegs = static_cast<std::size_t>(Leg::kCount);
inline constexpr std::array<std::string_view, kLegs> kLegNames = {"route", "deliver"};

// How long frames were in the broker, from the NIC's receive call to its transmit call, in cycles: 1.6 % a bucket, up
// to 2^32 (1 to 2 s).
struct Residence {
  using Buckets = LogLinear<32, 6>;

  std::array<Counter, Buckets::kBuckets> counts;
  Counter max;
};

struct alignas(kCacheLineBytes) PerfCounters {
  Counter run;             // whose figures these are; Shared::perf_run
  Counter elapsed_cycles;  // from the run's first loop to the end of the last one measured
  Counter loops;           // in that time
  Counter sampled_loops;   // of them, measured

  // Of the loops measured. Busy ones did something; `cycles` are theirs, and add up to busy_cycles.
  Counter busy_cycles, idle_cycles;
  std::array<Counter, kStations> cycles;
  Counter frames;  // received, from NICs and from other cores
  Counter tasks;   // accepted
  std::array<Residence, kLegs> residence;
};

}  // namespace mcplane::state
