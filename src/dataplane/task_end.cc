// See task_end.h. A slot of a worker returns exactly once: here in release_routed, nowhere else.
#include "dataplane/task_end.h"

#include <algorithm>

#include "dataplane/departure.h"

namespace mcplane::dataplane {
namespace {

// CANCEL is repeated after 50 ms, doubling to 1.6 s: the attempt counter of a cancelling task is not needed any more,
// so the number of repeats is kept in route_leg_us.
constexpr std::uint32_t kCancelFirstMs = 50;
constexpr std::uint16_t kCancelDoublings = 5;

void arm(Shard& shard, Task& task, std::uint32_t delay_ms) noexcept {
  shard.timers.arm(shard.index_of(task), shard.now_ms + delay_ms);
}

// Repeats CANCEL. Lost for want of a buffer is like lost on the wire: the next repeat makes it good.
void send_cancel(Shard& shard, Task& task) noexcept {
  if (const Session* worker = shard.sessions.find(task.worker_session))
    send_about(shard, task, *worker, {.type = wire::FrameType::Cancel});
  arm(shard, task, kCancelFirstMs << std::min(task.route_leg_us, kCancelDoublings));
  ++task.route_leg_us;
}

void on_timer(Shard& shard, Task& task) noexcept {
  switch (task.state) {
    case TaskState::kQueued:
      shard.counters.expired_unrouted.add();
      end_queued(shard, task, wire::Reason::Expired);
      return;
    case TaskState::kRouted:
      if (!tell_client(shard, task, wire::Reason::Expired)) return arm(shard, task, 1);
      shard.counters.expired_routed.add();
      begin_cancel(shard, task);
      return;
    case TaskState::kCancelling:
      send_cancel(shard, task);
      return;
    case TaskState::kFree:
      DCHECK(false);
      return;
  }
}

}  // namespace

void close_slot(Shard& shard, const Task& task, ClientSlot::State state, wire::Reason reason,
                wire::Executed executed) noexcept {
  const Session* client = shard.sessions.find(task.client);
  if (client == nullptr) return;
  ClientSlot& slot = shard.client_slot(*client, task.slot);
  slot.state = state;
  slot.reason = reason;
  slot.executed = executed;
  slot.retry_after_ms = shard.options.retry_after_ms;
}

void end_queued(Shard& shard, Task& task, wire::Reason reason) noexcept {
  HeldFrame& waiting = shard.held[task.held];
  RouteEntry& entry = shard.routes[waiting.route];
  HeldFrame held = shard.held.take(entry.lines[waiting.priority], task.held);
  shard.routes.remove_waiting(entry);
  shard.timers.disarm(shard.index_of(task));
  shard.counters.queued.subtract();
  if (const Session* client = shard.sessions.find(task.client)) {
    close_slot(shard, task, ClientSlot::State::kRejected, reason, wire::Executed::No);
    Frame frame = frame_of(held);
    reject(shard, held.packet, frame, client, reason, wire::Executed::No);
  } else {
    shard.give_back(take(held.packet));
  }
  shard.tasks.release(shard.index_of(task));
}

bool tell_client(Shard& shard, const Task& task, wire::Reason reason) noexcept {
  const Session* client = shard.sessions.find(task.client);
  if (client == nullptr) return true;
  if (!send_about(shard, task, *client,
                  {.reason = reason, .executed = wire::Executed::Maybe, .ttl_ms = shard.options.retry_after_ms}))
    return false;
  shard.counters.rejected[raw(reason)].add();
  close_slot(shard, task, ClientSlot::State::kRejected, reason, wire::Executed::Maybe);
  return true;
}

void release_routed(Shard& shard, Task& task) noexcept {
  (task.state == TaskState::kRouted ? shard.counters.routed : shard.counters.cancelling).subtract();
  shard.shared.workers[task.worker].release();
  shard.timers.disarm(shard.index_of(task));
  shard.tasks.release(shard.index_of(task));
}

void begin_cancel(Shard& shard, Task& task) noexcept {
  shard.timers.disarm(shard.index_of(task));
  task.state = TaskState::kCancelling;
  task.route_leg_us = 0;
  shard.counters.routed.subtract();
  shard.counters.cancelling.add();
  send_cancel(shard, task);
}

void run_timers(Shard& shard) noexcept {
  shard.timers.advance(shard.now_ms, kTimersPerLoop, [&](std::uint32_t index) { on_timer(shard, shard.tasks[index]); });
}

}  // namespace mcplane::dataplane
