// Station 4 of 7. From: dispatch (SEND). To: egress (ROUTE, REJECT), or a waiting line.
// Slot check, selector look-up, worker choice, task record. The frame becomes a ROUTE in place; its table and payload
// are not touched. Workers are chosen by least outstanding: idle ones first, from a rotating start.
#include "dataplane/departure.h"
#include "dataplane/task_end.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {
namespace {

constexpr std::uint32_t kTtlMaxMs = 24 * 60 * 60 * 1'000;
// A SEND lost on its way uses up a sequence, so a slot's next may be a few ahead.
constexpr std::uint32_t kSequenceAheadMax = 8;

enum class Choice : std::uint8_t { kFound, kAllBusy, kNoneLive };

// Takes a slot of the least loaded worker of the route's pools that has one. One cache line a worker looked at.
Choice acquire_worker(Shard& shard, RouteEntry& entry, state::WorkerRef& chosen) noexcept {
  constexpr int kRaces = 3;  // another core may take the slot between the look and the acquire
  bool live = false;
  for (int race = 0; race < kRaces; ++race) {
    std::uint32_t least = ~0U;
    for (std::uint32_t p = 0; p < entry.pool_count && least > 0; ++p) {
      const auto& workers = shard.snapshot->pool(entry.pools[p]).workers;
      const auto count = static_cast<std::uint32_t>(workers.size());
      std::uint32_t at = count > 0 ? entry.rotor % count : 0;
      for (std::uint32_t looked = 0; looked < count && least > 0; ++looked, at = at + 1 < count ? at + 1 : 0) {
        const state::WorkerLine& line = shard.shared.workers[workers[at].id];
        if (line.admits.load(std::memory_order_relaxed) == 0) continue;
        live = true;
        const std::uint32_t held = line.outstanding.load(std::memory_order_relaxed);
        if (held >= line.bound.load(std::memory_order_relaxed) || held >= least) continue;
        least = held;
        chosen = workers[at];
        entry.rotor = at + 1;
      }
    }
    if (least == ~0U) return live ? Choice::kAllBusy : Choice::kNoneLive;
    if (shard.shared.workers[chosen.id].try_acquire(chosen.session)) return Choice::kFound;
  }
  return Choice::kAllBusy;
}

// The acquired slot becomes a ROUTE. Needs a task that is fresh or queued, and its frame.
void route_task(Shard& shard, Task& task, const state::WorkerRef& worker, const Session& to, net::Packet& packet,
                Frame& frame) noexcept {
  task.state = TaskState::kRouted;
  task.attempt = 1;
  task.worker = worker.id;
  task.worker_session = worker.session;
  task.queued_us = static_cast<std::uint32_t>((shard.now_ns - task.arrived_ns) / kNsPerUs);
  shard.counters.routed.add();

  wire::Header& header = *frame.header;
  header.mutate_type(wire::FrameType::Route);
  header.mutate_attempt(task.attempt);
  header.mutate_worker_session(worker.session.value);
  wire::set_token(header, shard.token_of(task));
  header.mutate_sequence(0);
  header.mutate_slot(0);
  header.mutate_ttl_ms(task.deadline_ms - shard.now_ms);
  forward(shard, packet, frame, to);
}

// A slot was acquired, but the worker's session has ended on this shard since: the slot goes back.
const Session* installed_worker(Shard& shard, const state::WorkerRef& worker) noexcept {
  const Session* session = shard.sessions.find(worker.session);
  if (session == nullptr) shard.shared.workers[worker.id].release();
  return session;
}

Task& begin_task(Shard& shard, std::uint32_t index, const wire::Header& header, const Session& client) noexcept {
  Task& task = shard.tasks[index];
  const std::uint32_t ttl_ms = std::min(header.ttl_ms(), kTtlMaxMs);
  task.flags = header.flags();
  task.client = client.record.id;
  task.slot = header.slot();
  task.sequence = header.sequence();
  task.route_leg_us = 0;
  task.worker_session = {};
  task.deadline_ms = shard.now_ms + ttl_ms;
  task.arrived_ns = shard.now_ns;
  shard.timers.arm(index, task.deadline_ms);
  shard.counters.accepted.add();
  return task;
}

void enqueue(Shard& shard, RouteEntry& entry, Task& task, net::Packet& packet, const Frame& frame) noexcept {
  HeldFrame held;
  held.task = shard.index_of(task);
  held.route = shard.routes.index_of(entry);
  held.payload_offset = frame.ip.payload_offset;
  held.payload_length = frame.ip.payload_length;
  held.tail_sum = frame.ip.tail_sum;
  held.priority = wire::priority_of(task.flags);
  held.packet = take(packet);
  const std::uint8_t priority = held.priority;
  task.held = shard.held.push(entry.lines[priority], std::move(held));
  task.state = TaskState::kQueued;
  shard.routes.add_waiting(entry);
  shard.counters.queued.add();
}

Verdict refuse(Shard& shard, net::Packet& packet, Frame& frame, const Session& client, ClientSlot& slot,
               wire::Reason reason) noexcept {
  slot.state = ClientSlot::State::kRejected;
  slot.reason = reason;
  slot.executed = wire::Executed::No;
  slot.retry_after_ms = shard.options.retry_after_ms;
  return reject(shard, packet, frame, &client, reason, wire::Executed::No);
}

// The slot rule: the current sequence is a duplicate, one of the next few starts a task, anything else is dropped.
Verdict check_slot(Shard& shard, net::Packet& packet, Frame& frame, const Session& client,
                   const ClientSlot& slot) noexcept {
  const std::uint32_t ahead = frame.header->sequence() - slot.sequence;
  if (ahead == 0 && slot.state == ClientSlot::State::kRejected) {
    shard.counters.rejected[raw(slot.reason)].add();
    return answer(shard, packet, frame, &client,
                  {.reason = slot.reason, .executed = slot.executed, .ttl_ms = slot.retry_after_ms});
  }
  if (ahead == 0) return Verdict::drop(DropReason::kDuplicate);
  if (ahead > kSequenceAheadMax || slot.state == ClientSlot::State::kBusy)
    return Verdict::drop(DropReason::kStaleSequence);
  return {};
}

// Where a task goes that nothing stands against: to a worker, into the line, or back.
Verdict place(Shard& shard, net::Packet& packet, Frame& frame, const Session& client, ClientSlot& slot,
              RouteEntry& entry) noexcept {
  state::WorkerRef worker;
  const Session* to = nullptr;
  if (entry.waiting == 0) {
    const Choice choice = acquire_worker(shard, entry, worker);
    if (choice == Choice::kNoneLive) return refuse(shard, packet, frame, client, slot, wire::Reason::NoWorker);
    if (choice == Choice::kFound) to = installed_worker(shard, worker);
  }
  if (to == nullptr && shard.held.full()) return refuse(shard, packet, frame, client, slot, wire::Reason::QueueFull);
  const std::uint32_t index = shard.tasks.allocate();
  if (index == Task::kNone) {
    if (to != nullptr) shard.shared.workers[worker.id].release();
    return refuse(shard, packet, frame, client, slot, wire::Reason::TableFull);
  }
  Task& task = begin_task(shard, index, *frame.header, client);
  slot.state = ClientSlot::State::kBusy;
  if (to != nullptr) {
    route_task(shard, task, worker, *to, packet, frame);
    return Verdict::forward();
  }
  enqueue(shard, entry, task, packet, frame);
  return Verdict::complete();
}

// Routes the head of the entry's most urgent line. False when nothing of this entry can move now.
bool route_head(Shard& shard, RouteEntry& entry) noexcept {
  WaitingLine* line = entry.lines.data();
  while (line->head == HeldFrame::kNone) ++line;
  const std::uint32_t head = line->head;
  Task& task = shard.tasks[shard.held[head].task];
  // Time moved since the timers ran: a task never leaves with no time left.
  if (static_cast<std::int32_t>(task.deadline_ms - shard.now_ms) <= 0) {
    shard.counters.expired_unrouted.add();
    end_queued(shard, task, wire::Reason::Expired);
    return true;
  }
  shard.routes.refresh(entry, *shard.snapshot);
  state::WorkerRef worker;
  const Choice choice = acquire_worker(shard, entry, worker);
  if (choice == Choice::kNoneLive) {
    shard.counters.rejected_late.add();
    end_queued(shard, task, wire::Reason::NoWorker);
    return true;
  }
  const Session* to = choice == Choice::kFound ? installed_worker(shard, worker) : nullptr;
  if (to == nullptr) return false;

  HeldFrame held = shard.held.take(*line, head);
  shard.routes.remove_waiting(entry);
  shard.counters.queued.subtract();
  Frame frame = frame_of(held);
  route_task(shard, task, worker, *to, held.packet, frame);
  return true;
}

}  // namespace

Verdict on_send(Shard& shard, net::Packet& packet, Frame& frame, Session& session) noexcept {
  const wire::Header& header = *frame.header;
  if (!wire::is_client(session.record.service)) return Verdict::drop(DropReason::kWrongService);
  if (header.slot() >= session.record.slot_limit) return Verdict::drop(DropReason::kBadSlot);
  ClientSlot& slot = shard.client_slot(session, header.slot());
  if (const Verdict verdict = check_slot(shard, packet, frame, session, slot); verdict.decided()) return verdict;

  slot.sequence = header.sequence();
  if (frame.ip.reason == DropReason::kBadFragment || frame.ip.payload_length > shard.options.datagram_bytes_max)
    return refuse(shard, packet, frame, session, slot, wire::Reason::TooLarge);
  const auto datagram = packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length);
  const auto selector = wire::read_route_table(wire::table_of(datagram));
  if (!selector) return refuse(shard, packet, frame, session, slot, wire::Reason::Malformed);
  if (shard.draining) return refuse(shard, packet, frame, session, slot, wire::Reason::Draining);
  RouteEntry* entry = shard.routes.find(*selector, *shard.snapshot);
  if (entry == nullptr) return refuse(shard, packet, frame, session, slot, wire::Reason::TableFull);
  return place(shard, packet, frame, session, slot, *entry);
}

void route_waiting(Shard& shard) noexcept {
  const auto& waiting = shard.routes.waiting();
  std::uint32_t budget = kWaitersPerLoop;
  // Each route with waiters has its turn, starting one further each loop.
  for (std::size_t visits = waiting.size(); visits > 0 && !waiting.empty() && budget > 0; --visits) {
    shard.waiting_rotor = shard.waiting_rotor + 1 < waiting.size() ? shard.waiting_rotor + 1 : 0;
    RouteEntry& entry = shard.routes[waiting[shard.waiting_rotor]];
    while (budget > 0 && entry.waiting > 0 && route_head(shard, entry)) --budget;
  }
}

}  // namespace mcplane::dataplane
