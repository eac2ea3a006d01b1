// How tasks end without an answer: TTL, a dead worker, a dead client. All run on the shard's core.
#pragma once

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// Remembers in the client's slot how the exchange ended, for duplicates of its SEND. Nothing when the client is gone.
void close_slot(Shard& shard, const Task& task, ClientSlot::State state, wire::Reason reason = wire::Reason::Ok,
                wire::Executed executed = wire::Executed::NotSaid) noexcept;

// Ends a task that waits in a line: its SEND goes back as REJECT(reason, executed=no), or just away when the client
// is gone.
void end_queued(Shard& shard, Task& task, wire::Reason reason) noexcept;

// Tells the client of a routed task that it ended without an answer (executed=maybe). False when no buffer was left;
// try again later. True, too, when the client is gone.
bool tell_client(Shard& shard, const Task& task, wire::Reason reason) noexcept;

// Routed or cancelling: the worker's slot returns and the task is gone.
void release_routed(Shard& shard, Task& task) noexcept;

// Routed: asks the worker to stop, again and again until it says so; the slot returns then.
void begin_cancel(Shard& shard, Task& task) noexcept;

}  // namespace mcplane::dataplane
