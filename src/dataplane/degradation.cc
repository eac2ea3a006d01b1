// See degradation.h.
#include "dataplane/degradation.h"

#include "dataplane/client_slots.h"
#include "dataplane/departure.h"
#include "dataplane/recover.h"
#include "dataplane/route.h"
#include "dataplane/task_end.h"
#include "dataplane/waiting.h"
#include "dataplane/worker_choice.h"

namespace mcplane::dataplane {
namespace {

std::span<const std::byte> payload_of(const net::Packet& packet, const Frame& frame) noexcept {
  return wire::payload_of(packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length));
}

StandIn find_cached(const Shard& shard, const RouteEntry& entry, const net::Packet& packet,
                    const Frame& frame) noexcept {
  if (is_task_part(frame)) return {};
  const std::uint64_t ttl_ns = entry.rule.cache_ttl_ms * kNsPerMs;
  const std::uint64_t since_ns = shard.now_ns > ttl_ns ? shard.now_ns - ttl_ns : 0;
  const Question question = shard.answers.question_of(entry.hash, payload_of(packet, frame));
  const auto answer = shard.answers.find(question, since_ns);
  return answer ? StandIn{wire::Substitute::Cached, *answer, {}} : StandIn{};
}

// One hop: what the route of the fallback says of its own workers is not asked.
StandIn find_other_worker(Shard& shard, RouteEntry& entry) noexcept {
  StandIn found{wire::Substitute::Fallback, {}, {}};
  return acquire_stand_in(shard, entry, found.worker) >= Choice::kOnTrial ? StandIn{} : found;
}

// `others`: workers too.
StandIn find_first(Shard& shard, RouteEntry& entry, const net::Packet& packet, const Frame& frame,
                   bool others) noexcept {
  if (entry.rule.degradation == state::kNoDegradation) return {};
  const state::Degradation& how = shard.snapshot->degradation(entry.rule.degradation);
  for (const wire::Substitute kind : how.chain) {
    StandIn found;
    switch (kind) {
      case wire::Substitute::None:
        return {};
      case wire::Substitute::Cached:
        found = find_cached(shard, entry, packet, frame);
        break;
      case wire::Substitute::Fallback:
        if (others) found = find_other_worker(shard, entry);
        break;
      case wire::Substitute::Reply:
        return {kind, how.reply, {}};
      case wire::Substitute::Skip:
        return {kind, {}, {}};
    }
    if (found.kind != wire::Substitute::None) return found;
  }
  return {};
}

// The task is in no line, and its SEND at hand.
Verdict answer_task(Shard& shard, net::Packet& packet, Frame& frame, Task& task, const Session& client,
                    const StandIn& what) noexcept {
  ClientSlot& slot = shard.client_slot(client, task.slot);
  slot.reason = wire::Reason::Ok;
  slot.executed = task.attempt == 0 ? wire::Executed::No : wire::Executed::Maybe;
  trace_end(shard, task, wire::Reason::Ok, what.kind);
  shard.set_state(task, TaskState::kRejecting);
  task.client_knows = true;
  watch(shard, task);
  return deliver_own(shard, packet, frame, client,
                     {what.kind, slot.executed, task.attempt, shard.token_of(task), what.payload});
}

void count_late(Shard& shard, const Task& task, wire::Substitute kind) noexcept {
  count_end(shard, task, &state::TaskEnds::degraded_late);
  shard.counters.degraded[raw(kind)].add();
}

}  // namespace

StandIn find_stand_in(Shard& shard, RouteEntry& entry, const net::Packet& packet, const Frame& frame) noexcept {
  return find_first(shard, entry, packet, frame, true);
}

Verdict answer_at_once(Shard& shard, net::Packet& packet, Frame& frame, const Session& client, ClientSlot& slot,
                       const StandIn& what) noexcept {
  slot.state = ClientSlot::State::kDegraded;
  shard.counters.degraded[raw(what.kind)].add();
  if (shard.spans.on()) trace_send(shard, packet, frame, wire::Reason::Ok, what.kind);
  return deliver_own(shard, packet, frame, client, {.kind = what.kind, .payload = what.payload});
}

Verdict answer_again(Shard& shard, net::Packet& packet, Frame& frame, Session& client, ClientSlot& slot) noexcept {
  const CheckedSend checked = check_send(shard, packet, frame, client);
  if (checked.reason != wire::Reason::Ok) return Verdict::drop(DropReason::kBadTable);
  const StandIn what = find_first(shard, *checked.entry, packet, frame, false);
  if (what.kind == wire::Substitute::None)
    return refuse(shard, packet, frame, client, slot, {{.reason = wire::Reason::NoWorker}});
  shard.counters.repeated.add();
  return deliver_own(shard, packet, frame, client, {.kind = what.kind, .payload = what.payload});
}

void answer_queued(Shard& shard, Task& task, const StandIn& what) noexcept {
  count_late(shard, task, what.kind);
  const Session* client = shard.sessions.find(task.client);
  if (client == nullptr) return end_queued(shard, task, wire::Reason::NoWorker);
  HeldFrame held = take_queued(shard, task);
  Frame frame = frame_of(held);
  answer_task(shard, held.packet, frame, task, *client, what);
}

Verdict answer_pulled(Shard& shard, net::Packet& packet, Frame& frame, Task& task, const StandIn& what) noexcept {
  count_late(shard, task, what.kind);
  return answer_task(shard, packet, frame, task, *shard.sessions.find(task.client), what);
}

bool has_own_answer(Shard& shard, const Task& task) noexcept {
  if (task.state != TaskState::kRejecting) return false;
  const ClientSlot* slot = slot_of(shard, task);
  return slot != nullptr && slot->reason == wire::Reason::Ok;
}

Verdict answer_pulled_again(Shard& shard, net::Packet& packet, Frame& frame, Task& task, RouteEntry& entry) noexcept {
  const Session& client = *shard.sessions.find(task.client);
  ClientSlot& slot = shard.client_slot(client, task.slot);
  const StandIn what = find_first(shard, entry, packet, frame, false);
  shard.counters.repeated.add();
  if (what.kind != wire::Substitute::None)
    return deliver_own(shard, packet, frame, client,
                       {what.kind, slot.executed, task.attempt, shard.token_of(task), what.payload});
  slot.reason = wire::Reason::NoWorker;
  slot.retry_after_ms = shard.options.retry_after_ms;
  return reject(shard, packet, frame, &client, {.reason = slot.reason, .executed = slot.executed});
}

void mark_degraded(Task& task, Frame& route) noexcept {
  task.degraded = true;
  task.keeps_answer = false;
  route.header->mutate_flags(static_cast<std::uint16_t>(route.header->flags() | raw(wire::Flag::Degraded)));
}

void expect_answer(Shard& shard, const RouteEntry& entry, Task& task, const net::Packet& packet,
                   const Frame& frame) noexcept {
  task.keeps_answer = shard.answers.keeps_any() && !is_task_part(frame);
  if (!task.keeps_answer) return;
  shard.answers.expect(shard.tasks.index_of(task), shard.answers.question_of(entry.hash, payload_of(packet, frame)));
}

void note_answer(Shard& shard, Task& task, const net::Packet& packet, const Frame& frame) noexcept {
  if (task.degraded) {
    wire::set_substitute(*frame.header, wire::Substitute::Fallback);
    // Only the first of its DELIVERs finds the state as it was entered; of an answer in parts the last one counts.
    if (task.tries == 0 && !wire::has(frame.header->flags(), wire::Flag::More))
      shard.counters.degraded[raw(wire::Substitute::Fallback)].add();
    return;
  }
  task.keeps_answer = false;
  if (frame.header->reason() != wire::Reason::Ok) return;
  shard.answers.store(shard.answers.expected(shard.tasks.index_of(task)), payload_of(packet, frame), shard.now_ns);
}

}  // namespace mcplane::dataplane
