// How a task goes to a worker that has a slot for it: from station 4, or from the line (waiting.cc). On the shard's
// core.
#pragma once

#include "dataplane/shard.h"
#include "state/worker_table.h"

namespace mcplane::dataplane {

// The worker's session here, whose slot was just acquired. Null: it has ended on this shard since, and the slot went
// back.
Session* installed_worker(Shard& shard, const state::WorkerRef& worker) noexcept;

// The acquired slot becomes a ROUTE. Needs a task that is fresh, queued or pulling, and its frame.
void route_task(Shard& shard, Task& task, const state::WorkerRef& worker, Session& to, net::Packet& packet,
                Frame& frame) noexcept;

// Its frame goes to the worker that has it as the ROUTE of the task's attempt: the first time, again, or a part of it.
Verdict forward_route(Shard& shard, net::Packet& packet, Frame& frame, Session& to, Task& task) noexcept;

// What stands against a SEND, first or again; its selector otherwise.
struct CheckedSend {
  wire::Reason reason = wire::Reason::Ok;
  RouteEntry* entry = nullptr;
};
CheckedSend check_send(Shard& shard, const net::Packet& packet, const Frame& frame, Session& session) noexcept;

}  // namespace mcplane::dataplane
