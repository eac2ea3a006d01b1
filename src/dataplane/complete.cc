// Station 6 of 7. From: dispatch (RESULT, ACK). To: egress (DELIVER, or ACK(discard) to a RESULT nobody waits for).
// A token finds its task with one array access; session and attempt must be those the task was routed to, so the
// first RESULT of the live attempt wins and a worker's slot returns once. The worker keeps the RESULT until the client
// has said that its DELIVER came.
#include <algorithm>

#include "base/planted_bug.h"
#include "dataplane/client_slots.h"
#include "dataplane/complete.h"
#include "dataplane/degradation.h"
#include "dataplane/departure.h"
#include "dataplane/mirror.h"
#include "dataplane/parts.h"
#include "dataplane/recover.h"
#include "dataplane/task_end.h"
#include "dataplane/worker_outcome.h"
#include "wire/ack.h"

namespace mcplane::dataplane {
namespace {

// A token of another shard's names no task here.
Task* find_here(Shard& shard, TaskToken token) noexcept {
  return token.shard() == shard.options.id ? shard.tasks.find(token) : nullptr;
}

// The task with this token, if that worker's session has it, or its answer.
Task* find_with_worker(Shard& shard, TaskToken token, std::uint32_t worker_session) noexcept {
  Task* task = find_here(shard, token);
  return task != nullptr && task->worker_session.value == worker_session ? task : nullptr;
}

}  // namespace

Task* find_attempt(Shard& shard, const wire::Header& header) noexcept {
  if (planted(PlantedBug::kTakeAnyResult)) return shard.tasks.find(wire::token_of(header));
  Task* task = find_with_worker(shard, wire::token_of(header), header.worker_session());
  const bool in_its_hands = task != nullptr && task->attempt == header.attempt() &&
                            (state::holds_worker_slot(task->state) || task->state == TaskState::kDelivering);
  return in_its_hands ? task : nullptr;
}

Task* find_own(Shard& shard, const wire::Header& header, SessionId client) noexcept {
  Task* task = find_here(shard, wire::token_of(header));
  const bool own = task != nullptr && task->client == client && task->slot == header.slot() &&
                   task->sequence == header.sequence() && task->attempt == header.attempt();
  return own ? task : nullptr;
}

void on_arrival(Shard& shard, Task* task) noexcept {
  if (task == nullptr || task->state != TaskState::kRouted) return;
  shard.set_state(*task, TaskState::kRunning);
  // A timer that is to tell the client that its SEND came stays; else the TTL is what is left to wait for.
  if (task->client_knows) shard.wake_at_deadline(*task);
}

namespace {

// What a worker may say of a task it ran.
constexpr bool is_verdict(wire::Reason reason) noexcept {
  return reason == wire::Reason::Ok || reason == wire::Reason::WorkerError || reason == wire::Reason::TooLarge ||
         reason == wire::Reason::Malformed;
}

// Discard: the worker may forget the RESULT, nobody waits for it. Held: not yet.
Verdict acknowledge(Shard& shard, net::Packet& packet, Frame& frame, wire::Reason reason) noexcept {
  const Session* worker = shard.sessions.find({frame.header->worker_session()});
  return answer(shard, packet, frame, worker, {.type = wire::FrameType::Ack, .reason = reason});
}

// Its task is delivering; again when it was asked for again. Inline: of a task's instructions a call is one in a
// hundred.
[[gnu::always_inline]] inline Verdict deliver(Shard& shard, net::Packet& packet, Frame& frame, Task& task,
                                              const Session& client) noexcept {
  wire::Header& header = *frame.header;
  // An answer that fits the worker's family but not every client's: the client learns that there was one.
  if (frame.ip.payload_length > shard.options.datagram_bytes_max) {
    header.mutate_reason(wire::Reason::TooLarge);
    header.mutate_message_length(0);
    frame.ip.payload_length = wire::kLeadBytes;
    frame.ip.tail_sum = 0;
  }
  header.mutate_type(wire::FrameType::Deliver);
  header.mutate_flags(
      static_cast<std::uint16_t>((header.flags() & raw(wire::Flag::More)) | (task.flags & wire::kTraceFlags)));
  header.mutate_executed(wire::Executed::Yes);
  header.mutate_session(task.client.value);
  header.mutate_sequence(task.sequence);
  header.mutate_slot(task.slot);
  header.mutate_queued_us(task.queued_us);
  header.mutate_broker_us(task.route_leg_us);
  if (task.degraded | task.keeps_answer) [[unlikely]]
    note_answer(shard, task, packet, frame);
  return forward(shard, packet, frame, client);
}

void book_time(Shard& shard, const Task& task, std::uint64_t elapsed_ns) noexcept {
  shard.mine.timings.task.add(elapsed_ns);
  shard.answered.add(task.route_leg_us);
}

// In production's books, and in its trace where that tells of it. One that failed is told of with its failure.
void note_time(Shard& shard, const Task& task, const wire::Header& result, std::uint64_t elapsed_ns) noexcept {
  if (!wire::is_shadow(task.flags)) book_time(shard, task, elapsed_ns);
  const bool told = wire::has(task.flags, wire::Flag::Sampled) || shard.spans.is_slow(elapsed_ns);
  if (told && result.reason() == wire::Reason::Ok) trace_result(shard, task, result);
}

// The same, of one of whom most are.
[[gnu::always_inline]] inline bool note_plain_time(Shard& shard, const Task& task, std::uint64_t elapsed_ns) noexcept {
  constexpr auto kApart = static_cast<std::uint16_t>(raw(wire::Flag::Shadow) | raw(wire::Flag::Sampled));
  if ((task.flags & kApart) != 0 || shard.spans.is_slow(elapsed_ns)) [[unlikely]]
    return false;
  book_time(shard, task, elapsed_ns);
  return true;
}

// Its RESULT came: the answer is whole, and this is its first copy.
void note_result(Shard& shard, Task& task, const wire::Header& result) noexcept {
  const std::uint64_t elapsed_ns = task.elapsed_ns(shard.task_clock);
  if (observed() && !note_plain_time(shard, task, elapsed_ns)) [[unlikely]]
    note_time(shard, task, result, elapsed_ns);
  note_pace(shard, task, elapsed_ns, result.worker_us());
  count_result(shard, task, result);
}

// Stopped: it does not and will not run it.
void on_route_ack(Shard& shard, const wire::Header& header) noexcept {
  Task* task = find_attempt(shard, header);
  if (header.reason() != wire::Reason::Stopped) return on_arrival(shard, task);
  if (task != nullptr && task->state == TaskState::kRouted) return_task(shard, *task);
}

void on_outcome_ack(Shard& shard, const Session& client, std::uint32_t slot_index, std::uint32_t sequence) noexcept {
  if (check_slot(client, slot_index) != DropReason::kNone) return;
  ClientSlot& slot = shard.client_slot(client, static_cast<std::uint16_t>(slot_index));
  Task* const task = slot.sequence == sequence ? answered_task(shard, slot) : nullptr;
  if (task == nullptr) return;
  on_outcome_known(shard, *task);
  slot.leave();
}

Verdict on_cancel_ack(Shard& shard, const wire::Header& header) noexcept {
  Task* task = find_attempt(shard, header);
  if (task == nullptr || task->state != TaskState::kCancelling) return Verdict::drop(DropReason::kStaleToken);
  // Running: the slot stays taken; CANCEL goes on at its slowest pace until the RESULT or Stopped comes.
  if (header.reason() == wire::Reason::Stopped) end_cancelling(shard, *task);
  return Verdict::complete();
}

}  // namespace

Verdict on_result(Shard& shard, net::Packet& packet, Frame& frame) noexcept {
  const wire::Header& header = *frame.header;
  if (!is_verdict(header.reason())) return Verdict::drop(DropReason::kBadField);
  Task* task = find_attempt(shard, header);
  if (task == nullptr) return acknowledge(shard, packet, frame, wire::Reason::Discard);
  if (task->state == TaskState::kCancelling) {
    if (!wire::has(header.flags(), wire::Flag::More)) end_cancelling(shard, *task);
    return acknowledge(shard, packet, frame, wire::Reason::Discard);
  }
  const Session* client = shard.sessions.find(task->client);
  if (client == nullptr) {
    if (task->mirror && wire::has(header.flags(), wire::Flag::More)) return swallow_answer_part(shard, packet, frame);
    task->mirror ? end_copy(shard, *task, header) : end_for_nobody(shard, *task);
    return acknowledge(shard, packet, frame, wire::Reason::Discard);
  }
  if (wire::is_answer_part(header) || task->answering) [[unlikely]]
    if (on_answer_part(shard, *task, header)) return deliver(shard, packet, frame, *task, *client);
  if (task->state == TaskState::kDelivering) {
    const bool asked_for = task->tries > 1;
    return asked_for ? deliver(shard, packet, frame, *task, *client)
                     : acknowledge(shard, packet, frame, wire::Reason::Held);
  }
  note_result(shard, *task, header);
  if (!planted(PlantedBug::kLeakWorkerSlot)) release_worker_slot(shard, *task);
  if (planted(PlantedBug::kReleaseSlotTwice)) release_worker_slot(shard, *task);
  shard.set_state(*task, TaskState::kDelivering);
  task->number = header.sequence();
  if (planted(PlantedBug::kAckResultEarly))
    if (Session* const worker = shard.sessions.find(task->worker_session))
      shard.owed.add(*worker, task->number, shard.now_ms);
  watch(shard, *task);
  return deliver(shard, packet, frame, *task, *client);
}

Verdict on_ack(Shard& shard, const net::Packet& packet, Frame& frame, const Session& session) noexcept {
  const wire::Header& header = *frame.header;
  const auto entries = wire::ack_entries(packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length));
  switch (header.answers()) {
    case wire::FrameType::Cancel:
      return on_cancel_ack(shard, header);
    case wire::FrameType::Route:
      on_route_ack(shard, header);
      for (const wire::AckEntry& entry : entries)
        on_arrival(shard, find_with_worker(shard, {entry.name(), entry.number()}, header.worker_session()));
      return Verdict::complete();
    case wire::FrameType::Deliver:
      on_outcome_ack(shard, session, header.slot(), header.sequence());
      for (const wire::AckEntry& entry : entries) on_outcome_ack(shard, session, entry.name(), entry.number());
      return Verdict::complete();
    default:
      return Verdict::drop(DropReason::kUnexpectedAck);
  }
}

}  // namespace mcplane::dataplane
