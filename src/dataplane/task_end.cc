// See task_end.h. A slot of a worker returns exactly once: by release_worker_slot, in whichever ending comes first.
#include "dataplane/task_end.h"

#include "base/planted_bug.h"
#include "dataplane/client_slots.h"
#include "dataplane/departure.h"
#include "dataplane/recover.h"
#include "dataplane/waiting.h"
#include "dataplane/worker_choice.h"
#include "dataplane/worker_outcome.h"

namespace mcplane::dataplane {

using state::TaskEnds;

namespace {

// Tasks of one client that may be run again: 10, and one in ten of all it sent.
constexpr std::uint32_t kRerunsFree = 10, kTasksPerRerun = 10;
constexpr std::uint8_t kAttemptsMax = 255;

bool may_run_again(const Task& task, const Session& client) noexcept {
  const bool shadow = wire::is_shadow(task.flags);
  const std::uint32_t accepted = shadow ? client.shadow_accepted : client.accepted;
  const std::uint32_t failed_over = shadow ? client.shadow_failed_over : client.failed_over;
  return (wire::has(task.flags, wire::Flag::Idempotent) || planted(PlantedBug::kFailOverAnyTask)) && !task.answering &&
         task.attempt < kAttemptsMax && failed_over < kRerunsFree + accepted / kTasksPerRerun;
}

// What a REJECT of the task says, kept for its repeats.
void close_slot(Shard& shard, ClientSlot& slot, wire::Reason reason, wire::Executed executed) noexcept {
  slot.reason = reason;
  slot.executed = executed;
  slot.retry_after_ms = shard.options.retry_after_ms;
}

// The worker, if it is still there, may forget the RESULT. Inline: every task ends so.
[[gnu::always_inline]] inline void end_delivering(Shard& shard, Task& task) noexcept {
  Session* const worker = shard.sessions.find(task.worker_session);
  if (worker != nullptr && !shard.owed.add(*worker, task.number, shard.now_ms) && !planted(PlantedBug::kLoseFullAcks))
    shard.acks.add(task.worker_session, wire::FrameType::Result, task.number, raw(wire::Reason::Ok));
  shard.free_task(task);
}

void drop_queued(Shard& shard, Task& task) noexcept {
  HeldFrame held = take_queued(shard, task);
  shard.give_back(take(held.packet));
  shard.free_task(task);
}

// Any task's; in the books of its action it is one that failed, or one that was delivered. Out of line: few are either.
[[gnu::noinline]] void count_delivered(Shard& shard, const Task& task) noexcept {
  if (!task.failed()) return shard.count(task, &TaskEnds::delivered);
  shard.counters_of(task).delivered.add();
  if (!wire::is_shadow(task.flags)) shard.counters.actions[task.action()].failed.add();
}

// Ends what no client waits for any more.
void abandon(Shard& shard, Task& task) noexcept {
  shard.close(task);
  task.client = {};
  switch (task.state) {
    case TaskState::kQueued:
      return drop_queued(shard, task);
    case TaskState::kRouted:
    case TaskState::kRunning:
      return begin_cancelling(shard, task);
    case TaskState::kDelivering:
      return end_delivering(shard, task);
    case TaskState::kPulling:
    case TaskState::kRejecting:
      return shard.free_task(task);
    case TaskState::kCancelling:
    case TaskState::kFree:
    case TaskState::kCount:
      return;
  }
}

}  // namespace

void count_end(Shard& shard, const Task& task, TaskEnds::Which how) noexcept {
  shard.count(task, how);
  if (!wire::is_shadow(task.flags)) shard.mine.timings.task.add(task.elapsed_ns(shard.task_clock));
}

void end_queued(Shard& shard, Task& task, wire::Reason reason) noexcept {
  trace_end(shard, task, reason);
  const Session* client = shard.sessions.find(task.client);
  if (client == nullptr) return drop_queued(shard, task);
  HeldFrame held = take_queued(shard, task);
  const auto executed =
      task.attempt == 0 || planted(PlantedBug::kDenyAfterAttempt) ? wire::Executed::No : wire::Executed::Maybe;
  close_slot(shard, shard.client_slot(*client, task.slot), reason, executed);
  Frame frame = frame_of(held);
  wire::set_token(*frame.header, shard.token_of(task));
  reject(shard, held.packet, frame, client, {.reason = reason, .executed = executed});
  shard.set_state(task, TaskState::kRejecting);
  task.client_knows = true;
  watch(shard, task);
}

void expire_queued(Shard& shard, Task& task) noexcept {
  count_end(shard, task, task.attempt == 0 ? &TaskEnds::expired_unrouted : &TaskEnds::expired_routed);
  end_queued(shard, task, wire::Reason::Expired);
}

void expire_routed(Shard& shard, Task& task) noexcept {
  count_end(shard, task, &TaskEnds::expired_routed);
  trace_end(shard, task, wire::Reason::Expired);
  ClientSlot* slot = slot_of(shard, task);
  if (task.mirror) count_failure(shard, task);
  if (slot == nullptr) return abandon(shard, task);
  close_slot(shard, *slot, wire::Reason::Expired, wire::Executed::Maybe);
  if (task.state == TaskState::kPulling) return begin_rejecting(shard, task);
  count_failure(shard, task);
  begin_cancelling(shard, task);
}

void cancel_task(Shard& shard, Task& task) noexcept {
  count_end(shard, task, &TaskEnds::cancelled);
  trace_end(shard, task, wire::Reason::Cancelled);
  abandon(shard, task);
}

void lose_client(Shard& shard, Task& task) noexcept {
  // Its answer left; that nobody is there to say that it came does not undo it.
  if (task.state == TaskState::kDelivering) return on_outcome_known(shard, task);
  if (state::is_open(task.state)) {
    count_end(shard, task, &TaskEnds::client_lost);
    trace_end(shard, task, wire::Reason::UnknownSession);
  }
  abandon(shard, task);
}

void lose_last_worker(Shard& shard, Task& task) noexcept {
  ClientSlot* slot = slot_of(shard, task);
  if (slot == nullptr) return lose_client(shard, task);
  count_end(shard, task, &TaskEnds::worker_lost);
  trace_end(shard, task, wire::Reason::WorkerLost);
  close_slot(shard, *slot, wire::Reason::WorkerLost, wire::Executed::Maybe);
  begin_rejecting(shard, task);
}

void lose_worker(Shard& shard, Task& task) noexcept {
  Session* client = shard.sessions.find(task.client);
  if (client == nullptr) return end_for_nobody(shard, task);
  if (state::holds_worker_slot(task.state)) release_worker_slot(shard, task);
  if (may_run_again(task, *client)) {
    ++(wire::is_shadow(task.flags) ? client->shadow_failed_over : client->failed_over);
    shard.counters_of(task).failed_over.add();
    trace_attempt(shard, task, wire::Reason::WorkerLost);
    return begin_pulling(shard, task);
  }
  lose_last_worker(shard, task);
}

void end_for_nobody(Shard& shard, Task& task) noexcept {
  if (state::holds_worker_slot(task.state)) release_worker_slot(shard, task);
  count_end(shard, task, &TaskEnds::client_lost);
  trace_end(shard, task, wire::Reason::UnknownSession);
  shard.free_task(task);
}

void return_task(Shard& shard, Task& task) noexcept {
  if (task.mirror) return end_for_nobody(shard, task);
  release_worker_slot(shard, task);
  if (task.attempt == kAttemptsMax) {
    shard.set_state(task, TaskState::kPulling);
    return lose_last_worker(shard, task);
  }
  trace_attempt(shard, task, wire::Reason::Stopped);
  begin_pulling(shard, task);
}

void on_outcome_known(Shard& shard, Task& task) noexcept {
  if (task.state != TaskState::kDelivering) return abandon(shard, task);
  // What it took was noted with its RESULT.
  constexpr auto kApart = static_cast<std::uint16_t>(raw(wire::Flag::Shadow) | Task::kFailed);
  if ((task.flags & kApart) != 0) [[unlikely]]
    count_delivered(shard, task);
  else
    shard.count_production(task, &TaskEnds::delivered);
  end_delivering(shard, task);
}

void forget_client(Shard& shard, Task& task) noexcept {
  if (task.state == TaskState::kDelivering) shard.count(task, &TaskEnds::expired_routed);
  if (ClientSlot* slot = slot_of(shard, task)) slot->leave();
  abandon(shard, task);
}

void end_cancelling(Shard& shard, Task& task) noexcept {
  release_worker_slot(shard, task);
  if (!task.client) return shard.free_task(task);
  shard.set_state(task, TaskState::kRejecting);
  watch(shard, task);
}

void release_worker_slot(Shard& shard, Task& task) noexcept {
  return_slot(shard, {task.worker, task.worker_session, task.round, task.skill});
}

}  // namespace mcplane::dataplane
