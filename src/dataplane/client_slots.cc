// See client_slots.h. Dedup by slots: no hash and no window, one array access a SEND.
#include "dataplane/client_slots.h"

#include "base/planted_bug.h"
#include "dataplane/degradation.h"
#include "dataplane/departure.h"
#include "dataplane/parts.h"
#include "dataplane/task_end.h"

namespace mcplane::dataplane {
namespace {

// Part 0 of a task that its worker has: the client waits for the GRANT that it can go on with.
bool is_stuck(const Task& task, const Frame& frame) noexcept {
  return state::is_with_worker(task.state) && is_task_part(frame);
}

Verdict answer_duplicate(Shard& shard, net::Packet& packet, Frame& frame, Session& client, ClientSlot& slot) noexcept {
  switch (slot.state) {
    case ClientSlot::State::kBusy:
      if (answered_task(shard, slot) != nullptr) break;  // its timer repeats the outcome
      if (is_stuck(shard.tasks[slot.task], frame)) return on_task_again(shard, packet, frame, shard.tasks[slot.task]);
      shard.tasks[slot.task].client_knows = true;
      return answer(shard, packet, frame, &client, {.type = wire::FrameType::Ack});
    case ClientSlot::State::kRefused:
      shard.counters.repeated.add();
      return reject(shard, packet, frame, &client,
                    {.reason = slot.reason, .executed = slot.executed, .ttl_ms = slot.retry_after_ms});
    case ClientSlot::State::kDegraded:
      return answer_again(shard, packet, frame, client, slot);
    case ClientSlot::State::kIdle:
      break;
  }
  return Verdict::drop(DropReason::kDuplicate);
}

// The client is done with the slot's exchange, one way or the other.
void leave_exchange(Shard& shard, ClientSlot& slot) noexcept {
  if (Task* const task = answered_task(shard, slot))
    on_outcome_known(shard, *task);
  else if (slot.state == ClientSlot::State::kBusy)
    cancel_task(shard, shard.tasks[slot.task]);
  slot.leave();
}

}  // namespace

Verdict claim_slot(Shard& shard, net::Packet& packet, Frame& frame, Session& client, ClientSlot& slot) noexcept {
  const std::uint32_t ahead = frame.header->sequence() - slot.sequence;
  if (planted(PlantedBug::kSkipSlotDedup) && ahead == 0) return {};
  if (ahead == 0) return answer_duplicate(shard, packet, frame, client, slot);
  if (planted(PlantedBug::kAcceptStaleSequence) && ahead > 1) return {};
  if (ahead != 1) return Verdict::drop(DropReason::kStaleSequence);
  if (slot.state != ClientSlot::State::kIdle) leave_exchange(shard, slot);
  slot.sequence = frame.header->sequence();
  return {};
}

Verdict refuse(Shard& shard, net::Packet& packet, Frame& frame, const Session& client, ClientSlot& slot,
               const Refused& refused) noexcept {
  const Refusal& why = refused.why;
  slot.state = ClientSlot::State::kRefused;
  slot.reason = why.reason;
  slot.executed = wire::Executed::No;
  slot.retry_after_ms = why.retry_after_ms > 0 ? why.retry_after_ms : shard.options.retry_after_ms;
  if (shard.spans.on()) trace_send(shard, packet, frame, why.reason);
  return reject(shard, packet, frame, &client,
                {.reason = why.reason,
                 .executed = wire::Executed::No,
                 .ttl_ms = slot.retry_after_ms,
                 .slots = refused.slots.all,
                 .free_slots = refused.slots.free});
}

Task* answered_task(Shard& shard, const ClientSlot& slot) noexcept {
  if (slot.state != ClientSlot::State::kBusy) return nullptr;
  Task& task = shard.tasks[slot.task];
  return state::is_told(task.state) ? &task : nullptr;
}

ClientSlot* slot_of(Shard& shard, const Task& task) noexcept {
  const Session* client = shard.sessions.find(task.client);
  return client != nullptr ? &shard.client_slot(*client, task.slot) : nullptr;
}

Verdict on_cancel(Shard& shard, net::Packet& packet, Frame& frame, Session& session) noexcept {
  const wire::Header& header = *frame.header;
  if (const DropReason reason = check_slot(session, header.slot()); reason != DropReason::kNone)
    return Verdict::drop(reason);
  ClientSlot& slot = shard.client_slot(session, header.slot());
  // One ahead: its SEND has not come, and is a duplicate if it still does.
  if (header.sequence() - slot.sequence > 1) return Verdict::drop(DropReason::kStaleSequence);
  leave_exchange(shard, slot);
  slot.sequence = header.sequence();
  return answer(shard, packet, frame, &session, {.type = wire::FrameType::Ack});
}

}  // namespace mcplane::dataplane
