// Station 4 of 7. From: dispatch (SEND). To: egress (ROUTE, REJECT), or a waiting line.
// Slot check, selector look-up, worker choice, task record. The frame becomes a ROUTE in place; its table and payload
// are not touched. A SEND that a RESEND pulled joins its task where that waits for it.
#include "dataplane/route.h"

#include "base/planted_bug.h"
#include "dataplane/admission.h"
#include "dataplane/client_slots.h"
#include "dataplane/complete.h"
#include "dataplane/degradation.h"
#include "dataplane/departure.h"
#include "dataplane/mirror.h"
#include "dataplane/parts.h"
#include "dataplane/recover.h"
#include "dataplane/shadow.h"
#include "dataplane/task_end.h"
#include "dataplane/waiting.h"
#include "dataplane/worker_choice.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {
namespace {

// One ROUTE in so many to a worker, its first among them, is a sample of the worker's pace: enough for a mean.
constexpr std::uint32_t kRoutesPerPaceSample = 4;
constexpr std::uint32_t kTtlMaxMs = 24 * 60 * 60 * 1'000;

void begin_trace(Shard& shard, const RouteEntry& entry, Task& task, const wire::Header& header) noexcept {
  task.flags = shard.spans.flags_of(header);
  shard.spans.keep(shard.tasks.index_of(task), header, entry);
}

void begin_task(Shard& shard, const RouteEntry& entry, Task& task, const wire::Header& header,
                Session& client) noexcept {
  const std::uint32_t ttl_ms = std::min(header.ttl_ms(), kTtlMaxMs);
  task.flags = header.flags();
  if (shard.spans.on()) begin_trace(shard, entry, task, header);
  task.attempt = 0;
  task.clear_marks();
  task.client = client.record.id;
  task.slot = header.slot();
  task.sequence = header.sequence();
  task.route_leg_us = 0;
  task.worker_session = {};
  task.deadline_ms = shard.now_ms + ttl_ms;
  const std::uint8_t action = observed() ? entry.action : std::uint8_t{0};
  task.arrive(shard.task_clock, action);
  if (entry.shadow) [[unlikely]] {
    ++client.shadow_accepted;
    shard.counters.shadow.accepted.add();
  } else {
    ++client.accepted;
    state::ShardCounters& counters = shard.counters;
    counters.accepted.add();
    if (observed()) counters.actions[action].accepted.add();
  }
  if (entry.limited) [[unlikely]]
    open_task(shard, entry, client, task);
}

// Where a task can go at once.
struct Place {
  Choice choice = Choice::kAllBusy;
  state::WorkerRef worker;
  Session* to = nullptr;  // its slot is acquired
  bool stands_in = false;
};

Place place_of(Shard& shard, const StandIn& instead) noexcept {
  Place place{.choice = Choice::kAllBusy, .worker = instead.worker, .stands_in = true};
  if (instead.worker.session) place.to = installed_worker(shard, instead.worker);
  return place;
}

// Those who wait go first.
Place find_place(Shard& shard, RouteEntry& entry, const Asker& asker) noexcept {
  Place place;
  if (entry.lines.frames > 0) return place;
  place.choice = acquire_worker(shard, entry, asker, place.worker);
  if (place.choice == Choice::kFound) place.to = installed_worker(shard, place.worker);
  return place;
}

// Into the line, which has room.
Verdict join_line(Shard& shard, RouteEntry& entry, Task& task, net::Packet& packet, Frame& frame) noexcept {
  enqueue(shard, entry, task, packet, frame);
  return Verdict::complete();
}

// To the worker that was found.
Verdict go_to(Shard& shard, const Place& place, RouteEntry& entry, Task& task, net::Packet& packet,
              Frame& frame) noexcept {
  route_task(shard, task, place.worker, *place.to, packet, frame);
  mirror(shard, entry, task);
  if (place.stands_in) [[unlikely]]
    mark_degraded(task, frame);
  return Verdict::forward();
}

// What stands against joining the line.
Refusal check_line(Shard& shard, const RouteEntry& entry, const wire::Header& header, const Session& client) noexcept {
  const FlowName name = flow_of(shard, entry, client.record.id, header.flags());
  const std::uint32_t waiting = shard.held.waiting(name);
  if (entry.shadow)
    if (const Refusal refusal = check_shadow_line(shard)) return refusal;
  if (!shard.held.has_room(waiting)) return {.reason = wire::Reason::QueueFull};
  return check_wait(shard, entry, name.priority, waiting, header.ttl_ms());
}

// A task that nothing stands against goes to a worker, into the line, or back. Inline: a call costs a task as much as
// its books do.
[[gnu::always_inline]] inline Verdict start(Shard& shard, net::Packet& packet, Frame& frame, Session& client,
                                            ClientSlot& slot, RouteEntry& entry) noexcept {
  const auto refused = [&](const Refusal& why) {
    if (!entry.shadow) shard.counters.actions[entry.action].refused.add();
    return refuse(shard, packet, frame, client, slot, {why, slots_of(shard, entry)});
  };
  // Most brokers limit nobody.
  if (entry.checked) [[unlikely]]
    if (const Refusal why = entry.shadow ? check_shadow_table(shard) : check_limits(shard, entry, client))
      return refused(why);
  Place place = find_place(shard, entry, {client.record.id, frame.header});
  if (place.choice >= Choice::kOnTrial) [[unlikely]] {
    const StandIn instead = find_stand_in(shard, entry, packet, frame);
    if (instead.kind == wire::Substitute::Fallback) {
      place = place_of(shard, instead);
    } else if (instead.kind != wire::Substitute::None) {
      shard.counters.actions[entry.action].answered.add();
      return answer_at_once(shard, packet, frame, client, slot, instead);
    } else if (place.choice == Choice::kNoneLive) {
      return refused({.reason = wire::Reason::NoWorker});
    }
  }
  if (place.to == nullptr)
    if (const Refusal wait = check_line(shard, entry, *frame.header, client)) return refused(wait);
  const std::uint32_t index = shard.tasks.allocate();
  if (index == Task::kNone) {
    if (place.to != nullptr) return_slot(shard, place.worker);
    return refused({.reason = wire::Reason::TableFull});
  }
  const wire::Header& header = *frame.header;
  slot.state = ClientSlot::State::kBusy;
  slot.task = index;
  if (observed()) slot.ask_for(entry.name, wire::task_id_of(header));
  Task& task = shard.tasks[index];
  begin_task(shard, entry, task, header, client);
  if (entry.rule.cache_ttl_ms > 0) [[unlikely]]
    expect_answer(shard, entry, task, packet, frame);
  if (place.to == nullptr) [[unlikely]] {
    if (observed() && !entry.shadow) shard.joined.add();
    return join_line(shard, entry, task, packet, frame);
  }
  return go_to(shard, place, entry, task, packet, frame);
}

// What a table asks for that is not remembered. Out of line: most are.
[[gnu::noinline]] CheckedSend read_selector(Shard& shard, std::span<const std::byte> table, bool shadow) noexcept {
  const auto selector = wire::read_route_table(table);
  if (!selector) return {.reason = wire::Reason::Malformed};
  RouteEntry* const entry = shard.routes.find(*selector, *shard.snapshot, shadow);
  if (entry == nullptr) return {.reason = wire::Reason::TableFull};
  shard.routes.remember(table, *entry);
  return {.entry = entry};
}

CheckedSend check(Shard& shard, const net::Packet& packet, const Frame& frame, Session& session) noexcept {
  if (frame.ip.payload_length > shard.options.datagram_bytes_max) return {.reason = wire::Reason::TooLarge};
  const auto datagram = packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length);
  const auto table = wire::table_of(datagram);
  const bool shadow = wire::is_shadow(frame.header->flags());
  RouteEntry* const entry = shard.routes.recall(table, *shard.snapshot, session.route_hint, shadow);
  return entry != nullptr ? CheckedSend{.entry = entry} : read_selector(shard, table, shadow);
}

// Of a worker whose session ends. Out of line, as few are.
[[gnu::noinline]] void give_back_slot(Shard& shard, const state::WorkerRef& worker) noexcept {
  return_slot(shard, worker);
}

// Out of line, and last: what it keeps meanwhile would cost each task 16 instructions.
[[gnu::noinline]] Verdict forward_sampled(Shard& shard, net::Packet& packet, const Frame& frame, const Session& to,
                                          const Task& task) noexcept {
  shard.spans.mark(task, shard.tasks.index_of(task), *frame.header);
  return forward(shard, packet, frame, to);
}

// The task a pulled SEND is for: it echoes what the RESEND said. Null when it is not waited for, or not any more.
Task* find_pulled(Shard& shard, const wire::Header& header) noexcept {
  Task* task = find_own(shard, header, {header.session()});
  if (task == nullptr || wire::is_shadow(task->flags) != wire::is_shadow(header.flags())) return nullptr;
  const bool waits =
      task->state == TaskState::kPulling || task->state == TaskState::kRouted || has_own_answer(shard, *task);
  if (planted(PlantedBug::kRouteExpired)) return waits ? task : nullptr;
  return waits && !shard.reached(task->deadline_ms) ? task : nullptr;
}

// Its ROUTE goes again to the worker that has not said that it came, or the task to another worker.
Verdict on_pulled(Shard& shard, net::Packet& packet, Frame& frame, Session& session) noexcept {
  if (frame.header->fragment_index() != 0) return on_task_part(shard, packet, frame, session);
  Task* task = find_pulled(shard, *frame.header);
  if (task == nullptr) return Verdict::drop(DropReason::kDuplicate);
  const CheckedSend checked = check(shard, packet, frame, session);
  if (checked.reason != wire::Reason::Ok) return Verdict::drop(DropReason::kBadTable);
  if (task->state == TaskState::kRouted) {
    Session* to = shard.sessions.find(task->worker_session);
    if (to == nullptr) return Verdict::drop(DropReason::kStaleToken);
    if (task->degraded) mark_degraded(*task, frame);
    return forward_route(shard, packet, frame, *to, *task);
  }
  if (task->state == TaskState::kRejecting) return answer_pulled_again(shard, packet, frame, *task, *checked.entry);
  Place place = find_place(shard, *checked.entry, {session.record.id, frame.header});
  if (place.choice >= Choice::kOnTrial) {
    const StandIn instead = may_degrade(*task) ? find_stand_in(shard, *checked.entry, packet, frame) : StandIn{};
    if (instead.kind == wire::Substitute::Fallback) {
      place = place_of(shard, instead);
    } else if (instead.kind != wire::Substitute::None) {
      return answer_pulled(shard, packet, frame, *task, instead);
    } else if (place.choice == Choice::kNoneLive) {
      lose_last_worker(shard, *task);
      return Verdict::complete();
    }
  }
  // The client keeps the payload: the next RESEND asks for it again.
  const bool full = shard.held.full() || (checked.entry->shadow && check_shadow_line(shard));
  if (place.to == nullptr && full) return Verdict::drop(DropReason::kQueueFull);
  return place.to != nullptr ? go_to(shard, place, *checked.entry, *task, packet, frame)
                             : join_line(shard, *checked.entry, *task, packet, frame);
}

}  // namespace

CheckedSend check_send(Shard& shard, const net::Packet& packet, const Frame& frame, Session& session) noexcept {
  return check(shard, packet, frame, session);
}

Session* installed_worker(Shard& shard, const state::WorkerRef& worker) noexcept {
  Session* session = shard.sessions.find(worker.session);
  if (session == nullptr) [[unlikely]]
    give_back_slot(shard, worker);
  return session;
}

// Out of line: in the midst of on_send() it would take the registers of a task's books.
[[gnu::noinline]] Verdict forward_route(Shard& shard, net::Packet& packet, Frame& frame, Session& to,
                                        Task& task) noexcept {
  wire::Header& header = *frame.header;
  header.mutate_type(wire::FrameType::Route);
  header.mutate_attempt(task.attempt);
  header.mutate_worker_session(task.worker_session.value);
  wire::set_token(header, shard.token_of(task));
  wire::set_route_number(header, task.number);
  header.mutate_slot(0);
  header.mutate_sequence(shard.owed.take(to));  // it takes along that a RESULT is done with
  if (!planted(PlantedBug::kTtlNotSpent)) header.mutate_ttl_ms(task.deadline_ms - shard.now_ms);
  if (wire::has(task.flags, wire::Flag::Sampled) && shard.spans.on() && !task.mirror) [[unlikely]]
    return forward_sampled(shard, packet, frame, to, task);
  return forward(shard, packet, frame, to);
}

void route_task(Shard& shard, Task& task, const state::WorkerRef& worker, Session& to, net::Packet& packet,
                Frame& frame) noexcept {
  shard.set_state(task, TaskState::kRouted);
  ++task.attempt;
  task.worker = worker.id;
  task.worker_session = worker.session;
  task.round = worker.round & state::kRoundMask;
  task.skill = worker.skill;
  task.number = ++to.routed;
  task.queued_us = static_cast<std::uint32_t>(task.elapsed_ns(shard.task_clock) / kNsPerUs);
  task.paces = task.number % kRoutesPerPaceSample == 1 &&
               shard.shared.workers[worker.id].outstanding() <= to.record.worker_slots;
  task.degraded = false;
  watch(shard, task);
  forward_route(shard, packet, frame, to, task);
}

Verdict on_send(Shard& shard, net::Packet& packet, Frame& frame, Session& session) noexcept {
  const wire::Header& header = *frame.header;
  if (const DropReason reason = check_slot(session, header.slot()); reason != DropReason::kNone)
    return Verdict::drop(reason);
  if (header.token_generation() != 0) return on_pulled(shard, packet, frame, session);
  ClientSlot& slot = shard.client_slot(session, header.slot());
  if (const Verdict verdict = claim_slot(shard, packet, frame, session, slot); verdict.decided()) return verdict;

  const CheckedSend checked = check(shard, packet, frame, session);
  const wire::Reason against =
      shard.draining && checked.reason == wire::Reason::Ok ? wire::Reason::Draining : checked.reason;
  if (against != wire::Reason::Ok) {
    const std::uint8_t action = checked.entry != nullptr ? checked.entry->action : state::kOtherActions;
    if (!wire::is_shadow(header.flags())) shard.counters.actions[action].refused.add();
    return refuse(shard, packet, frame, session, slot, {{against}});
  }
  return start(shard, packet, frame, session, slot, *checked.entry);
}

}  // namespace mcplane::dataplane
