// Tasks that wait for a worker: into the line and out of it. All run on the shard's core.
#pragma once

#include "dataplane/shard.h"
#include "state/worker_table.h"

namespace mcplane::dataplane {

// The task, fresh or pulled, waits with its frame; held is not full.
void enqueue(Shard& shard, RouteEntry& entry, Task& task, net::Packet& packet, const Frame& frame) noexcept;

// Queued: takes the task's frame out of its line; the task has no state to be in until the caller gives it one.
HeldFrame take_queued(Shard& shard, Task& task) noexcept;

// Shadow tasks are of the least urgent class, whatever they say.
inline FlowName flow_of(Shard& shard, const RouteEntry& entry, SessionId client, std::uint16_t flags) noexcept {
  constexpr std::uint8_t kLeastUrgent = wire::kPriorities - 1;
  return {client, shard.routes.index_of(entry), entry.shadow ? kLeastUrgent : wire::priority_of(flags)};
}

}  // namespace mcplane::dataplane
