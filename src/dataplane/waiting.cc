// Between stations 4 and 7: tasks that wait for a worker, and how they get one. Each route with waiters has its turn in
// every loop; whose turn it is within a route, held_frames.h knows.
#include "dataplane/waiting.h"

#include "dataplane/degradation.h"
#include "dataplane/departure.h"
#include "dataplane/mirror.h"
#include "dataplane/recover.h"
#include "dataplane/route.h"
#include "dataplane/task_end.h"
#include "dataplane/worker_choice.h"

namespace mcplane::dataplane {
namespace {

// Queued, and nobody is in who could run it.
void end_without_worker(Shard& shard, Task& task, const StandIn& instead) noexcept {
  if (instead.kind != wire::Substitute::None) return answer_queued(shard, task, instead);
  count_end(shard, task, task.attempt == 0 ? &state::TaskEnds::rejected_late : &state::TaskEnds::worker_lost);
  end_queued(shard, task, task.attempt == 0 ? wire::Reason::NoWorker : wire::Reason::WorkerLost);
}

// Routes the task whose turn it is. False when nothing of this entry can move now.
bool route_front(Shard& shard, RouteEntry& entry) noexcept {
  const HeldFrame& front = shard.held[shard.held.front(entry.lines)];
  Task& task = shard.tasks[front.task];
  // Time moved since the timers ran: a task never leaves with no time left.
  if (shard.reached(task.deadline_ms)) {
    expire_queued(shard, task);
    return true;
  }
  shard.routes.refresh(entry, *shard.snapshot);
  state::WorkerRef worker;
  bool stands_in = false;
  const Choice choice = acquire_worker(shard, entry, {task.client, frame_of(front).header}, worker);
  if (choice >= Choice::kOnTrial) {
    const StandIn instead = may_degrade(task) ? find_stand_in(shard, entry, front.packet, frame_of(front)) : StandIn{};
    stands_in = instead.kind == wire::Substitute::Fallback;
    const bool waits_on = instead.kind == wire::Substitute::None && choice == Choice::kOnTrial;
    if (!stands_in && !waits_on) {
      end_without_worker(shard, task, instead);
      return true;
    }
    worker = instead.worker;
  }
  Session* const to = worker.session ? installed_worker(shard, worker) : nullptr;
  if (to == nullptr) return false;

  HeldFrame held = shard.held.take_front(entry.lines);
  shard.routes.remove_waiting(entry);
  entry.pace.on_turn(shard.now_ns);
  Frame frame = frame_of(held);
  if (task.attempt == 0 && !entry.shadow) shard.mine.timings.queue.add(task.elapsed_ns(shard.task_clock));
  route_task(shard, task, worker, *to, held.packet, frame);
  mirror(shard, entry, task);
  if (stands_in) mark_degraded(task, frame);
  return true;
}

}  // namespace

void enqueue(Shard& shard, RouteEntry& entry, Task& task, net::Packet& packet, const Frame& frame) noexcept {
  HeldFrame held;
  held.task = shard.tasks.index_of(task);
  held.payload_offset = frame.ip.payload_offset;
  held.payload_length = frame.ip.payload_length;
  held.tail_sum = frame.ip.tail_sum;
  held.packet = take(packet);
  shard.set_state(task, TaskState::kQueued);
  task.number = shard.held.push(entry.lines, flow_of(shard, entry, task.client, task.flags), std::move(held));
  if (entry.lines.frames == 1) entry.pace.on_first(shard.now_ns);
  shard.routes.add_waiting(entry);
  watch(shard, task);
}

HeldFrame take_queued(Shard& shard, Task& task) noexcept {
  RouteEntry& entry = shard.routes[shard.held.name_of(shard.held[task.number]).route];
  HeldFrame held = shard.held.take(entry.lines, task.number);
  shard.routes.remove_waiting(entry);
  return held;
}

void route_waiting(Shard& shard) noexcept {
  const auto& waiting = shard.routes.waiting();
  std::uint32_t budget = kWaitersPerLoop, shadow_budget = kShadowWaitersPerLoop;
  // Each route with waiters has its turn, starting one further each loop.
  for (std::size_t visits = waiting.size(); visits > 0 && !waiting.empty() && budget > 0; --visits) {
    shard.waiting_rotor = shard.waiting_rotor + 1 < waiting.size() ? shard.waiting_rotor + 1 : 0;
    RouteEntry& entry = shard.routes[waiting[shard.waiting_rotor]];
    std::uint32_t& left = entry.shadow ? shadow_budget : budget;
    while (left > 0 && entry.lines.frames > 0 && route_front(shard, entry)) --left;
  }
}

}  // namespace mcplane::dataplane
