// What a task gets while none of its route's own workers is in (state::Degradation): an answer that the broker itself
// gives, in the SEND's own buffer as it does a REJECT, or a worker that stands in. Runs on the shard's core.
//
// A SEND that is answered at once becomes no task, and its duplicates are answered again, each from itself. A task that
// was accepted before is answered from the frame it waits with; when that DELIVER is lost, the SEND is pulled and
// answered again. No worker ever runs what was answered so: where the answer cannot be had any more, REJECT takes its
// place. A task that a worker may have run is answered only if it may run twice.
#pragma once

#include "dataplane/shard.h"
#include "state/worker_table.h"

namespace mcplane::dataplane {

// The first of the route's chain that can be had.
struct StandIn {
  wire::Substitute kind = wire::Substitute::None;  // None: nothing
  std::span<const std::byte> payload;              // of the broker's own answer; good until the shard keeps another
  state::WorkerRef worker;                         // Fallback: its slot is taken; none: all that stand in are busy
};
StandIn find_stand_in(Shard& shard, RouteEntry& entry, const net::Packet& packet, const Frame& frame) noexcept;

// Whether an accepted task may have one.
inline bool may_degrade(const Task& task) noexcept {
  return task.attempt == 0 || wire::has(task.flags, wire::Flag::Idempotent);
}

// No task comes of the SEND.
Verdict answer_at_once(Shard& shard, net::Packet& packet, Frame& frame, const Session& client, ClientSlot& slot,
                       const StandIn& what) noexcept;
// Its duplicate.
Verdict answer_again(Shard& shard, net::Packet& packet, Frame& frame, Session& client, ClientSlot& slot) noexcept;

// An accepted task gets the broker's own answer: in line, or with the SEND that was pulled for it.
void answer_queued(Shard& shard, Task& task, const StandIn& what) noexcept;
Verdict answer_pulled(Shard& shard, net::Packet& packet, Frame& frame, Task& task, const StandIn& what) noexcept;
// It has had one, and its client has not said that it came: the pulled SEND is answered again.
bool has_own_answer(Shard& shard, const Task& task) noexcept;
Verdict answer_pulled_again(Shard& shard, net::Packet& packet, Frame& frame, Task& task, RouteEntry& entry) noexcept;

// The worker that its ROUTE is on its way to stands in for others.
void mark_degraded(Task& task, Frame& route) noexcept;

// The task's answer may stand in later; its SEND is at hand.
void expect_answer(Shard& shard, const RouteEntry& entry, Task& task, const net::Packet& packet,
                   const Frame& frame) noexcept;
// A DELIVER made from its RESULT: is kept, or says that it stands in.
void note_answer(Shard& shard, Task& task, const net::Packet& packet, const Frame& frame) noexcept;

}  // namespace mcplane::dataplane
