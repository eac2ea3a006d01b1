// See recover.h. Round trips are the endpoints' own measurements; a frame that finds no buffer is like one that is
// lost on its way, and said again.
#include "dataplane/recover.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "dataplane/client_slots.h"
#include "dataplane/degradation.h"
#include "dataplane/departure.h"
#include "dataplane/task_end.h"
#include "wire/retransmission.h"

namespace mcplane::dataplane {
namespace {

constexpr std::uint32_t kGraceMs = wire::kGraceNs / kNsPerMs;

std::uint32_t pto_ms(const Session* peer) noexcept {
  return peer != nullptr ? peer->pto_ms : std::uint32_t{wire::kPtoInitialNs / kNsPerMs};
}

std::uint32_t backed_off_ms(std::uint32_t wait_ms, std::uint32_t tries) noexcept {
  return static_cast<std::uint32_t>(wire::backed_off(wait_ms * kNsPerMs, tries) / kNsPerMs);
}

// The next try, after a wait that doubles; `until_ms` has its turn in any case. Of peers that are heard, one frame was
// lost, not all: then the wait does not go on doubling.
void try_again(Shard& shard, Task& task, std::uint32_t wait_ms, std::uint32_t until_ms, bool heard = false) noexcept {
  constexpr std::uint32_t kDoublingsOfTheHeard = 2;
  const std::uint32_t left_ms = shard.reached(until_ms) ? 0 : until_ms - shard.now_ms;
  const std::uint32_t doublings = heard ? std::min<std::uint32_t>(task.tries, kDoublingsOfTheHeard) : task.tries;
  const std::uint32_t wait_after_ms = backed_off_ms(wait_ms, doublings);
  task.count_try();
  shard.wake(task, std::min(wait_after_ms, left_ms));
}

void ack_send(Shard& shard, Task& task) noexcept {
  task.client_knows = true;
  shard.acks.add(task.client, wire::FrameType::Send, task.slot, task.sequence);
}

// Whether a frame of the peer may be asked for now. Who has been heard of since he was last asked is there, and each
// frame is asked for by its own timer; who has not is asked for one thing at a time, ever slower.
bool may_ask(Shard& shard, Session& peer) noexcept {
  const std::uint32_t heard_ms = shard.mine.last_seen[peer.record.id.index()].load(std::memory_order_relaxed);
  const bool heard = static_cast<std::int32_t>(heard_ms - peer.asked_ms) >= 0;
  if (!heard && shard.now_ms - peer.asked_ms > peer.pto_ms) {
    if (peer.probes > 0 && !shard.reached(peer.next_probe_ms)) return false;
    peer.next_probe_ms = shard.now_ms + backed_off_ms(peer.pto_ms, peer.probes);
    if (peer.probes < 0xff) ++peer.probes;
    return true;
  }
  if (heard) {
    peer.probes = 0;
    peer.asked_ms = shard.now_ms;
  }
  return true;
}

// Since it was asked last.
bool is_heard(const Session* peer) noexcept { return peer != nullptr && peer->probes == 0; }

void ask_client(Shard& shard, Task& task, Session* client) noexcept {
  task.client_knows = true;
  if (client == nullptr || !may_ask(shard, *client)) return;
  shard.counters.resends.add();
  send_about(shard, task, *client, {.type = wire::FrameType::Resend});
}

void ask_worker(Shard& shard, Task& task, Session& worker) noexcept {
  if (!may_ask(shard, worker)) return;
  shard.counters.resends.add();
  send_about(shard, task, worker, {.type = wire::FrameType::Resend, .about = wire::FrameType::Result});
}

void say_reject(Shard& shard, Task& task, const Session* client) noexcept {
  if (client == nullptr) return;
  const ClientSlot& slot = shard.client_slot(*client, task.slot);
  if (task.tries > 0) shard.counters.repeated.add();
  shard.counters_of(task).rejected[raw(slot.reason)].add();
  send_about(shard, task, *client, {.reason = slot.reason, .executed = slot.executed, .ttl_ms = slot.retry_after_ms});
}

void say_cancel(Shard& shard, Task& task, const Session* worker) noexcept {
  if (task.tries > 0) shard.counters.repeated.add();
  if (planted(PlantedBug::kCancelOnce) && task.tries > 0) return;
  if (worker != nullptr) send_about(shard, task, *worker, {.type = wire::FrameType::Cancel});
}

void on_routed(Shard& shard, Task& task) noexcept {
  if (shard.reached(task.deadline_ms)) return expire_routed(shard, task);
  if (task.client_knows) {
    Session* const worker = shard.sessions.find(task.worker_session);
    Session* const client = shard.sessions.find(task.client);
    if (worker != nullptr && may_ask(shard, *worker)) ask_client(shard, task, client);
    return try_again(shard, task, pto_ms(client) + pto_ms(worker), task.deadline_ms,
                     is_heard(worker) && is_heard(client));
  }
  ack_send(shard, task);
  watch(shard, task);
}

void on_running(Shard& shard, Task& task) noexcept {
  if (shard.reached(task.deadline_ms)) return expire_routed(shard, task);
  if (!task.client_knows) ack_send(shard, task);
  shard.wake_at_deadline(task);
}

void on_queued(Shard& shard, Task& task) noexcept {
  if (!shard.reached(task.deadline_ms)) {
    if (!task.client_knows) ack_send(shard, task);
    return shard.wake_at_deadline(task);
  }
  expire_queued(shard, task);
}

void on_pulling(Shard& shard, Task& task) noexcept {
  if (shard.reached(task.deadline_ms)) return expire_routed(shard, task);
  Session* const client = shard.sessions.find(task.client);
  ask_client(shard, task, client);
  try_again(shard, task, pto_ms(client), task.deadline_ms, is_heard(client));
}

void on_delivering(Shard& shard, Task& task) noexcept {
  const std::uint32_t until_ms = task.deadline_ms + kGraceMs;
  if (shard.reached(until_ms)) return forget_client(shard, task);
  Session* const worker = shard.sessions.find(task.worker_session);
  Session* const client = shard.sessions.find(task.client);
  if (task.tries == 0) {
    shard.acks.add(task.worker_session, wire::FrameType::Result, task.number, raw(wire::Reason::Held));
  } else if (worker == nullptr) {
    return lose_worker(shard, task);
  } else if (client != nullptr && may_ask(shard, *client)) {
    ask_worker(shard, task, *worker);
  }
  try_again(shard, task, pto_ms(client), until_ms, is_heard(worker) && is_heard(client));
}

void on_rejecting(Shard& shard, Task& task) noexcept {
  const std::uint32_t until_ms = task.deadline_ms + kGraceMs;
  if (shard.reached(until_ms)) return forget_client(shard, task);
  Session* const client = shard.sessions.find(task.client);
  if (has_own_answer(shard, task))
    ask_client(shard, task, client);
  else
    say_reject(shard, task, client);
  if (planted(PlantedBug::kForgetReject)) return;
  try_again(shard, task, pto_ms(client), until_ms);
}

void on_cancelling(Shard& shard, Task& task) noexcept {
  if (task.client && shard.reached(task.deadline_ms + kGraceMs)) forget_client(shard, task);
  const Session* const client = shard.sessions.find(task.client);
  const Session* const worker = shard.sessions.find(task.worker_session);
  if (task.client) say_reject(shard, task, client);
  say_cancel(shard, task, worker);
  try_again(shard, task, std::max(pto_ms(client), pto_ms(worker)), shard.now_ms + wire::kPtoMaxNs / kNsPerMs);
}

void on_timer(Shard& shard, Task& task) noexcept {
  switch (task.state) {
    case TaskState::kQueued:
      return on_queued(shard, task);
    case TaskState::kRouted:
      return on_routed(shard, task);
    case TaskState::kRunning:
      return on_running(shard, task);
    case TaskState::kPulling:
      return on_pulling(shard, task);
    case TaskState::kDelivering:
      return on_delivering(shard, task);
    case TaskState::kRejecting:
      return on_rejecting(shard, task);
    case TaskState::kCancelling:
      return on_cancelling(shard, task);
    case TaskState::kFree:
      return;
    case TaskState::kCount:
      DCHECK(false);
  }
}

}  // namespace

void watch_rarer(Shard& shard, Task& task) noexcept {
  if (task.state == TaskState::kQueued) return shard.wake_at_deadline(task);
  const bool routed = task.state == TaskState::kRouted;
  if (task.state == TaskState::kRejecting) task.count_try();
  const std::uint32_t wait_ms =
      task.client_knows ? pto_ms(shard.sessions.find(routed ? task.worker_session : task.client)) : shard.ack_wait_ms;
  shard.wake(task, within_ttl(shard, task, wait_ms));
}

void begin_pulling(Shard& shard, Task& task) noexcept {
  shard.set_state(task, TaskState::kPulling);
  task.set_failed(false);
  task.worker_session = {};
  on_pulling(shard, task);
}

void begin_rejecting(Shard& shard, Task& task) noexcept {
  shard.set_state(task, TaskState::kRejecting);
  on_rejecting(shard, task);
}

void begin_cancelling(Shard& shard, Task& task) noexcept {
  shard.set_state(task, TaskState::kCancelling);
  on_cancelling(shard, task);
}

void run_timers(Shard& shard) noexcept {
  shard.timers.advance(shard.now_ms, kTimersPerLoop, [&](std::uint32_t index) { on_timer(shard, shard.tasks[index]); });
}

}  // namespace mcplane::dataplane
