// Station 6 of 7. From: dispatch (RESULT, ACK). To: egress (DELIVER, or ACK(discard) to a RESULT nobody waits for).
// A token finds its task with one array access; session and attempt must be those the task was routed to, so the
// first RESULT of the live attempt wins and a worker's slot returns once.
#include <algorithm>

#include "dataplane/departure.h"
#include "dataplane/task_end.h"

namespace mcplane::dataplane {
namespace {

// The flags of a RESULT that its DELIVER keeps; the others are the broker's to set.
constexpr auto kWorkerFlags =
    static_cast<std::uint16_t>(raw(wire::Flag::Fin) | raw(wire::Flag::Sampled) | raw(wire::Flag::RandomTrace));

// The routed or cancelling task a worker's frame speaks of; null when it is another's, another attempt's, or over.
Task* find_attempt(Shard& shard, const wire::Header& header) noexcept {
  const TaskToken token = wire::token_of(header);
  if (token.shard() != shard.options.id) return nullptr;
  Task* task = shard.tasks.find(token);
  if (task == nullptr || task->state == TaskState::kQueued) return nullptr;
  if (task->worker_session.value != header.worker_session() || task->attempt != header.attempt()) return nullptr;
  return task;
}

// What a worker may say of a task it ran.
constexpr bool is_verdict(wire::Reason reason) noexcept {
  return reason == wire::Reason::Ok || reason == wire::Reason::WorkerError || reason == wire::Reason::TooLarge;
}

// The worker may forget the RESULT: nobody waits for it.
Verdict discard(Shard& shard, net::Packet& packet, Frame& frame) noexcept {
  const Session* worker = shard.sessions.find({frame.header->worker_session()});
  return answer(shard, packet, frame, worker, {.type = wire::FrameType::Ack, .reason = wire::Reason::Discard});
}

}  // namespace

Verdict on_result(Shard& shard, net::Packet& packet, Frame& frame) noexcept {
  wire::Header& header = *frame.header;
  if (!is_verdict(header.reason())) return Verdict::drop(DropReason::kBadField);
  Task* task = find_attempt(shard, header);
  if (task == nullptr) return discard(shard, packet, frame);
  const Session* client = shard.sessions.find(task->client);
  if (task->state == TaskState::kCancelling || client == nullptr) {
    if (task->state == TaskState::kRouted) shard.counters.client_lost.add();
    release_routed(shard, *task);
    return discard(shard, packet, frame);
  }

  // An answer that fits the worker's family but not every client's: the client learns that there was one.
  if (frame.ip.payload_length > shard.options.datagram_bytes_max) {
    header.mutate_reason(wire::Reason::TooLarge);
    header.mutate_message_length(0);
    frame.ip.payload_length = wire::kLeadBytes;
    frame.ip.tail_sum = 0;
  }
  header.mutate_type(wire::FrameType::Deliver);
  header.mutate_flags(header.flags() & kWorkerFlags);
  header.mutate_executed(wire::Executed::Yes);
  header.mutate_session(task->client.value);
  header.mutate_sequence(task->sequence);
  header.mutate_slot(task->slot);
  header.mutate_queued_us(task->queued_us);
  header.mutate_broker_us(task->route_leg_us);
  close_slot(shard, *task, ClientSlot::State::kDelivered);
  release_routed(shard, *task);
  shard.counters.delivered.add();
  return forward(shard, packet, frame, *client);
}

Verdict on_ack(Shard& shard, Frame& frame) noexcept {
  const wire::Header& header = *frame.header;
  if (header.answers() != wire::FrameType::Cancel) return Verdict::drop(DropReason::kUnexpectedAck);
  Task* task = find_attempt(shard, header);
  if (task == nullptr || task->state != TaskState::kCancelling) return Verdict::drop(DropReason::kStaleToken);
  // Running: the slot stays taken; CANCEL goes on at its slowest pace until the RESULT or Stopped comes.
  if (header.reason() == wire::Reason::Stopped) release_routed(shard, *task);
  return Verdict::complete();
}

}  // namespace mcplane::dataplane
