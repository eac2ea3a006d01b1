// What a shard counts. Single writer (its core), read by the control thread at any time.
// Counters are monotonic; relaxed order: a reader wants a recent value, not an edge.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/drop_reason.h"
#include "base/lone_writer.h"
#include "base/types.h"
#include "state/task_state.h"
#include "wire/header.h"

namespace mcplane::state {

class Counter {
 public:
  // The owning core only: a plain add, no locked instruction.
  void add(std::uint64_t amount = 1) noexcept { add_alone(value_, amount); }
  void subtract(std::uint64_t amount = 1) noexcept { subtract_alone(value_, amount); }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};  // Written by: the owning core.
};

inline constexpr std::size_t kReasons = static_cast<std::size_t>(wire::Reason::MAX) + 1;

// Every accepted task ends in exactly one of these; those not ended yet are in a state that is_open().
struct TaskEnds {
  using Which = Counter TaskEnds::*;

  Counter accepted, delivered, expired_unrouted, expired_routed, worker_lost, client_lost, cancelled, rejected_late;
  Counter degraded_late;  // answered by the broker itself, which makes no task of a SEND that it answers at once
};

// The books of one kind of tasks.
struct TaskCounters : TaskEnds {
  std::array<Counter, kTaskStates> in_state;  // gauges
  std::array<Counter, kReasons> rejected;     // REJECTs sent, by reason, accepted or not, repeats too
  Counter failed_over;                        // tasks taken from a worker that is gone, for another

  // Accepted, and their outcomes not known to have arrived. Any thread; the states are read one by one.
  std::uint64_t open_tasks() const noexcept {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kTaskStates; ++i)
      if (is_open(static_cast<TaskState>(i))) sum += in_state[i].read();
    return sum;
  }
  // Ended or not, as many as there are in the task table.
  std::uint64_t in_table() const noexcept {
    std::uint64_t sum = 0;
    for (const Counter& tasks : in_state) sum += tasks.read();
    return sum;
  }
};

// Actions of their own books, by numbers that control gives (RouteSnapshot::action_of); the first is all others'.
inline constexpr std::size_t kActions = 64;
inline constexpr std::uint8_t kOtherActions = 0;

// Production's tasks of one action. A SEND is accepted, refused or answered, once.
struct alignas(kCacheLineBytes) ActionCounters : TaskEnds {  // delivered: without what is in `failed`
  Counter failed;                                            // delivered, and the answer says that the worker could not
  Counter refused, answered;  // at once: by a REJECT, and by an answer of the broker's own
};

// Its own books are production's: what a load test does, with the flag SHADOW, moves no figure of theirs. Frames are
// those of all tasks.
struct alignas(kCacheLineBytes) ShardCounters : TaskCounters {
  TaskCounters shadow;
  // Copies of production's tasks at shadow workers: `delivered` says that an answer came, and was dropped;
  // `client_lost` that none will.
  TaskCounters mirror;
  std::array<ActionCounters, kActions> actions;
  // Copies that were due and not made: no shadow worker with room, too many under way, no spare buffer.
  Counter mirror_no_worker, mirror_over_cap, mirror_no_buffer;

  // Every received frame is counted once in `received` and once in exactly one of the next five.
  Counter received, forwarded, handed_off, punted, completed;
  std::array<Counter, kDropReasons> dropped;

  Counter sent;          // frames given to a NIC
  Counter sent_dropped;  // frames a NIC or a relay ring did not take, their buffers freed
  Counter relayed;       // frames left to a core that has a queue of their port; it counts them as sent or dropped
  Counter no_buffer;     // frames of our own that no spare buffer was left for

  std::array<Counter, wire::kSubstitutes> degraded;  // answers that stood in, accepted or not, without repeats

  Counter acks_sent;  // ACK frames of our own: vectors, and answers to frames that came twice
  Counter resends;    // RESENDs: something was lost, or its worker
  Counter repeated;   // REJECTs and CANCELs sent again

  Counter loops, busy_loops;  // of the core; busy: at least one frame or message
  Counter busy_ns;            // from such a loop's beginning to the next one's
  Counter asleep_ns;          // between loops, with --idle sleep

  Counter published;  // PUBLISHes taken
  Counter events_sent, events_dropped;
};

// What a shard sent to a subscriber, and had no place or no buffer for: their sum is the number of its last event
// there, and they wrap as it does. Relaxed: a reader wants a recent value.
struct EventCounts {
  std::atomic<std::uint32_t> sent{0}, dropped{0};  // Written by: the core; reset by control before a session starts.
};

}  // namespace mcplane::state
