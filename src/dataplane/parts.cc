// See parts.h.
#include "dataplane/parts.h"

#include "base/planted_bug.h"
#include "dataplane/complete.h"
#include "dataplane/degradation.h"
#include "dataplane/departure.h"
#include "dataplane/route.h"

namespace mcplane::dataplane {
namespace {

Verdict grant_to_client(Shard& shard, net::Packet& packet, Frame& frame) noexcept {
  wire::Header& header = *frame.header;
  Task* task = find_attempt(shard, header);
  const Session* client =
      task != nullptr && state::is_with_worker(task->state) ? shard.sessions.find(task->client) : nullptr;
  if (client == nullptr) return Verdict::drop(DropReason::kStaleToken);
  task->client_knows = true;
  on_arrival(shard, task);
  header.mutate_session(task->client.value);
  header.mutate_slot(task->slot);
  header.mutate_sequence(task->sequence);
  return forward(shard, packet, frame, *client);
}

Verdict grant_to_worker(Shard& shard, net::Packet& packet, Frame& frame, const Session& client) noexcept {
  wire::Header& header = *frame.header;
  const Task* task = find_own(shard, header, client.record.id);
  const bool answers = task != nullptr && (state::is_with_worker(task->state) || task->state == TaskState::kDelivering);
  const Session* worker = answers ? shard.sessions.find(task->worker_session) : nullptr;
  if (worker == nullptr) return Verdict::drop(DropReason::kStaleToken);
  header.mutate_session(task->worker_session.value);
  header.mutate_worker_session(task->worker_session.value);
  return forward(shard, packet, frame, *worker);
}

}  // namespace

Verdict on_task_part(Shard& shard, net::Packet& packet, Frame& frame, const Session& client) noexcept {
  Task* task = find_own(shard, *frame.header, client.record.id);
  if (task == nullptr || !state::is_with_worker(task->state)) return Verdict::drop(DropReason::kStaleToken);
  return on_task_again(shard, packet, frame, *task);
}

Verdict on_task_again(Shard& shard, net::Packet& packet, Frame& frame, Task& task) noexcept {
  Session* worker = shard.sessions.find(task.worker_session);
  if (worker == nullptr || shard.reached(task.deadline_ms)) return Verdict::drop(DropReason::kStaleToken);
  if (frame.ip.payload_length > shard.options.datagram_bytes_max) return Verdict::drop(DropReason::kBadLength);
  if (task.degraded) mark_degraded(task, frame);
  return forward_route(shard, packet, frame, *worker, task);
}

bool on_answer_part(Shard& shard, Task& task, const wire::Header& result) noexcept {
  task.answering = true;
  task.keeps_answer = false;
  if (task.state == TaskState::kDelivering) return true;
  if (!wire::has(result.flags(), wire::Flag::More) || planted(PlantedBug::kEndAtAnyPart)) return false;
  on_arrival(shard, &task);
  return true;
}

Verdict swallow_answer_part(Shard& shard, net::Packet& packet, Frame& frame) noexcept {
  const auto next = static_cast<std::uint16_t>(frame.header->fragment_index() + 1);
  const SessionId worker{frame.header->worker_session()};
  on_arrival(shard, find_attempt(shard, *frame.header));
  const Verdict verdict = answer(shard, packet, frame, shard.sessions.find(worker), {.type = wire::FrameType::Grant});
  frame.header->mutate_answers(wire::FrameType::Result);
  wire::set_grant(*frame.header, next, static_cast<std::uint16_t>(next + wire::kUnscheduledParts));
  return verdict;
}

Verdict on_grant(Shard& shard, net::Packet& packet, Frame& frame, const Session& from) noexcept {
  switch (frame.header->answers()) {
    case wire::FrameType::Send:
      return grant_to_client(shard, packet, frame);
    case wire::FrameType::Result:
      return grant_to_worker(shard, packet, frame, from);
    default:
      return Verdict::drop(DropReason::kBadField);
  }
}

}  // namespace mcplane::dataplane
