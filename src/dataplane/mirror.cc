// See mirror.h.
#include "dataplane/mirror.h"

#include "base/planted_bug.h"
#include "dataplane/departure.h"
#include "dataplane/route.h"
#include "dataplane/shadow.h"
#include "dataplane/task_end.h"
#include "dataplane/worker_outcome.h"
#include "dataplane/worker_policies.h"

namespace mcplane::dataplane {
namespace {

// Exactly that share of any number of tasks, evenly, whatever share they begin with.
bool is_due(RouteEntry& entry) noexcept {
  entry.mirror.due += entry.rule.mirror;
  if (entry.mirror.due < state::kMirrorWhole) return false;
  entry.mirror.due -= state::kMirrorWhole;
  return true;
}

// What the tables and the buffers leave. Shadow tasks that wait for a worker go first.
state::Counter* obstacle(Shard& shard) noexcept {
  state::ShardCounters& counters = shard.counters;
  if (!has_shadow_room(counters.mirror.in_table(), kMirrorShare, shard.tasks.in_use(), shard.tasks.capacity()))
    return &counters.mirror_over_cap;
  if (counters.shadow.in_state[raw(TaskState::kQueued)].read() > 0) return &counters.mirror_no_worker;
  return shard.spares.room() < kMirroredPerLoop ? nullptr : &counters.mirror_no_buffer;
}

// A slot of the least loaded. Lost to another core, or its bit not up yet: there is none.
bool take_shadow_worker(Shard& shard, RouteEntry::Mirror& mirror, state::WorkerRef& chosen) noexcept {
  const state::LoadIndex* best = nullptr;
  SkillId skill{};
  std::uint32_t least = state::kLoadLevels;
  for (std::uint32_t i = 0; i < mirror.pools.count; ++i) {
    const state::LoadIndex& index = *shard.snapshot->pool(mirror.pools.pools[i]).load;
    const std::uint32_t level = index.lowest(0);
    if (level >= least) continue;
    least = level;
    best = &index;
    skill = mirror.pools.skills[i];
  }
  if (best == nullptr) return false;
  const state::LoadIndex::Found found = best->find(least, mirror.rotor);
  if (found.worker == kNoWorker) return false;
  mirror.rotor = found.place + 1;
  return try_take(shard, found.worker, skill, chosen);
}

Task& begin_copy(Shard& shard, const Task& original) noexcept {
  Task& task = shard.tasks[shard.tasks.allocate()];
  task.flags = static_cast<std::uint16_t>(original.flags | raw(wire::Flag::Shadow));
  task.clear_marks();
  task.mirror = task.client_knows = true;
  task.attempt = 0;
  task.client = {};
  task.slot = 0;
  task.sequence = 0;
  task.route_leg_us = 0;
  task.deadline_ms = original.deadline_ms;
  task.arrive(shard.task_clock, state::kOtherActions);
  if (planted(PlantedBug::kDeliverMirrored)) {
    task.client = original.client;
    task.slot = original.slot;
    task.sequence = original.sequence;
  }
  shard.counters.mirror.accepted.add();
  return task;
}

// The others come later, and go to the task's own worker.
bool is_part(const Departure& departure) noexcept {
  const std::span datagram(departure.packet.data() + departure.payload_offset, departure.payload_length);
  return wire::is_task_part(wire::header_of(datagram), datagram.size() - wire::kLeadBytes);
}

// The datagram of the last departure, as if it had come in a frame of its own.
net::Packet copy_last(Shard& shard, Frame& frame) noexcept {
  const Departure& last = shard.departures.items().back();
  net::Packet copy = shard.take_spare();
  std::memcpy(copy.data() + kDatagramOffset, last.packet.data() + last.payload_offset, last.payload_length);
  copy.set_length(static_cast<std::uint16_t>(kDatagramOffset + last.payload_length));
  frame.ip.payload_offset = kDatagramOffset;
  frame.ip.payload_length = last.payload_length;
  frame.ip.tail_sum = last.tail_sum;
  frame.header = &wire::header_of(copy.bytes().subspan(kDatagramOffset));
  return copy;
}

}  // namespace

void make_copy(Shard& shard, RouteEntry& entry, const Task& original) noexcept {
  const bool routed_before = original.attempt > 1;
  if (routed_before || is_part(shard.departures.items().back()) || !is_due(entry)) return;
  if (state::Counter* const why = obstacle(shard)) return why->add();
  state::WorkerRef worker;
  Session* const to = take_shadow_worker(shard, entry.mirror, worker) ? installed_worker(shard, worker) : nullptr;
  if (to == nullptr) return shard.counters.mirror_no_worker.add();
  Frame frame;
  net::Packet copy = copy_last(shard, frame);
  frame.header->mutate_flags(static_cast<std::uint16_t>(frame.header->flags() | raw(wire::Flag::Shadow)));
  // Names no client: nothing that comes back can be taken for its.
  frame.header->mutate_session(to->record.id.value);
  Task& task = begin_copy(shard, original);
  route_task(shard, task, worker, *to, copy, frame);
  shard.wake_at_deadline(task);
}

void end_copy(Shard& shard, Task& task, const wire::Header& result) noexcept {
  note_pace(shard, task, task.elapsed_ns(shard.task_clock), result.worker_us());
  count_result(shard, task, result);
  release_worker_slot(shard, task);
  shard.counters.mirror.delivered.add();
  shard.free_task(task);
}

}  // namespace mcplane::dataplane
