// The tasks a shard knows, addressed by token: a slot index and the slot's generation, so a RESULT finds its task with
// one array access and no hash. One cache line a task. Owner: the shard's core.
//
//   kFree -> kQueued -> kRouted -> kRunning -> kDelivering -> kFree   each step may be skipped but the last
//   kRouted, kRunning, kDelivering -> kPulling -> kQueued or kRouted  its worker is gone, and another may run it
//   any open one -> kRejecting -> kFree                          ended without an answer, until the client knows
//   kRouted, kRunning -> kCancelling -> kRejecting or kFree      likewise, until the worker's slot is back
#pragma once

#include <cstdint>

#include "base/check.h"
#include "base/large_array.h"
#include "base/prefetch.h"
#include "base/types.h"
#include "dataplane/timing_wheel.h"
#include "state/task_limits.h"
#include "state/task_state.h"
#include "state/worker_table.h"
#include "wire/header.h"

namespace mcplane::dataplane {

using state::TaskState;

struct alignas(kCacheLineBytes) Task {
  std::uint32_t generation = 1;  // of the slot; goes up when a task leaves it
  TaskState state = TaskState::kFree;
  std::uint8_t attempt = 0;        // workers it was routed to
  std::uint16_t flags = 0;         // as the SEND had them, and kFailed
  SessionId client;                // none: the client is gone, or knows the outcome
  std::uint32_t sequence = 0;      // of the client's slot
  std::uint16_t slot = 0;          // client slot
  std::uint16_t route_leg_us = 0;  // from the SEND's arrival to the ROUTE's departure, less waiting
  // kQueued: its frame in the HeldFrames. kRouted to kCancelling: number of its ROUTE. kDelivering: of its RESULT.
  // kFree: index of the next free slot.
  std::uint32_t number = 0;
  SessionId worker_session;       // kRouted, kRunning, kDelivering, kCancelling
  WorkerId worker = kNoWorker;    // likewise
  TimerNode timer;                // when this task is looked at next; state and tries say what for; outlives it
  std::uint32_t deadline_ms = 0;  // on the shard's clock
  std::uint64_t arrival = 0;      // see arrive()
  std::uint32_t queued_us = 0;    // waited for a worker
  std::uint8_t tries : 4 = 0;     // timers that fired in this state, kTriesMax at most
  SkillId skill : 4 = {};         // what its worker does
  std::uint8_t shared_limit = state::kNoSharedLimit;
  std::uint16_t round : 9 = state::kNoRound;  // of its worker's gate, until its outcome is told (worker_outcome.h)
  bool client_knows : 1 = false;              // that its SEND came: nothing of it needs an ACK
  bool open : 1 = false;                      // counts for its client, and for its route's limit
  bool mirror : 1 = false;                    // a copy of another task (mirror.h)
  bool paces : 1 = false;                     // its RESULT is a sample of its worker's pace: it found a free slot
  bool degraded : 1 = false;                  // its worker stands in for those asked for
  bool keeps_answer : 1 = false;              // its answer may stand in later (answer_cache.h)
  bool answering : 1 = false;                 // part of its answer has gone to its client (parts.h)

  static constexpr std::uint32_t kNone = 0xffffffffU;
  static constexpr std::uint8_t kTriesMax = 15;  // by then waits have long stopped doubling

  void count_try() noexcept {
    if (tries < kTriesMax) ++tries;
  }
  // From round to answering, as of a task that is new. In one store: a word of which a bit was just written waits until
  // that is in the cache.
  void clear_marks() noexcept {
    round = state::kNoRound;
    client_knows = open = mirror = paces = degraded = keeps_answer = answering = false;
  }

  // When its SEND came, and what its books are kept by, in one word:
  //
  //   63       16 15    0
  //   | arrived  | action |   arrived: of the core's clock, modulo 2^48 ns: three days, and no task lives longer than
  //                           one
  static constexpr unsigned kActionBits = 16;
  static constexpr std::uint64_t kActionMask = (std::uint64_t{1} << kActionBits) - 1;
  // Such a word for what happens at that time, with the greatest action: so what is left of a difference is no less.
  static constexpr std::uint64_t clock_of(std::uint64_t now_ns) noexcept { return now_ns << kActionBits | kActionMask; }
  // Its worker's answer says so. Among its flags, where no frame has one, so that one look finds all tasks whose books
  // are not as most are.
  static constexpr std::uint16_t kFailed = 1U << 13;
  static_assert((kFailed & wire::kUnknownFlags) != 0);

  void arrive(std::uint64_t clock, std::uint8_t action) noexcept { arrival = clock - kActionMask + action; }
  std::uint64_t elapsed_ns(std::uint64_t clock) const noexcept { return (clock - arrival) >> kActionBits; }
  std::uint8_t action() const noexcept { return static_cast<std::uint8_t>(arrival); }
  bool failed() const noexcept { return (flags & kFailed) != 0; }
  void set_failed(bool failed) noexcept {
    flags = static_cast<std::uint16_t>(failed ? flags | kFailed : flags & ~kFailed);
  }
  std::uint16_t sent_flags() const noexcept { return static_cast<std::uint16_t>(flags & ~kFailed); }
};

static_assert(sizeof(Task) == kCacheLineBytes);

class TaskTable {
 public:
  struct TimerOf {
    Task* tasks;
    TimerNode& operator()(std::uint32_t index) const noexcept { return tasks[index].timer; }
  };

  explicit TaskTable(std::uint32_t capacity) : tasks_(capacity), capacity_(capacity) {}

  Task& operator[](std::uint32_t index) noexcept { return tasks_[index]; }
  std::uint32_t index_of(const Task& task) const noexcept { return static_cast<std::uint32_t>(&task - tasks_.get()); }
  TimerOf timers() const noexcept { return {tasks_.get()}; }

  // Index of a slot with state kFree that the caller fills; Task::kNone when the table is full.
  std::uint32_t allocate() noexcept {
    if (free_head_ != Task::kNone) {
      const std::uint32_t index = free_head_;
      free_head_ = tasks_[index].number;
      ++in_use_;
      return index;
    }
    if (touched_ == capacity_) return Task::kNone;
    ++in_use_;
    return touched_++;
  }

  void release(Task& task) noexcept {
    DCHECK(task.state != TaskState::kFree);
    task.state = TaskState::kFree;
    if (++task.generation == 0) task.generation = 1;
    task.number = free_head_;
    free_head_ = index_of(task);
    --in_use_;
  }

  // The task a token names, null when it has ended or never was.
  Task* find(TaskToken token) noexcept {
    const std::uint32_t index = token.index();
    if (index >= touched_) return nullptr;
    Task& task = tasks_[index];
    if (task.generation != token.generation || task.state == TaskState::kFree) return nullptr;
    return &task;
  }

  std::uint32_t capacity() const noexcept { return capacity_; }
  std::uint32_t in_use() const noexcept { return in_use_; }
  // Slots at and above it were never used.
  std::uint32_t touched() const noexcept { return touched_; }
  // Of any index below touched().
  void prefetch(std::uint32_t index) const noexcept {
    if (index < touched_) prefetch_to_write(&tasks_[index]);
  }

 private:
  LargeArray<Task> tasks_;
  std::uint32_t capacity_;
  std::uint32_t touched_ = 0;
  std::uint32_t in_use_ = 0;
  std::uint32_t free_head_ = Task::kNone;
};

}  // namespace mcplane::dataplane
