// How tasks end, other than by the first DELIVER: TTL, CANCEL, a worker or a client that is gone. All run on the
// shard's core.
//
// Each ending has two sides. The client's is over when the client knows the outcome; the worker's when its slot is
// back. What is still open keeps the task, in a state whose timer repeats what may have been lost (recover.cc).
#pragma once

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// Its outcome is decided, and is no RESULT: counted, with the time it took.
void count_end(Shard& shard, const Task& task, state::TaskEnds::Which how) noexcept;

// Queued: its SEND goes back as a REJECT, with executed=no if no worker ever had the task.
void end_queued(Shard& shard, Task& task, wire::Reason reason) noexcept;

// Queued: its TTL passed.
void expire_queued(Shard& shard, Task& task) noexcept;

// The TTL of a task that was routed passed: the client hears so, and its worker, if it has one, is asked to stop.
void expire_routed(Shard& shard, Task& task) noexcept;

// The client gave the task up, and its slot: nothing is left to be said to it.
void cancel_task(Shard& shard, Task& task) noexcept;

// The client's session ended. Nothing changes for a task that has ended for its client.
void lose_client(Shard& shard, Task& task) noexcept;

// The worker that has the task, or its RESULT, is gone: another worker runs it, if it may run twice; else WORKER_LOST.
void lose_worker(Shard& shard, Task& task) noexcept;

// No worker is left that may run the task, which holds no slot.
void lose_last_worker(Shard& shard, Task& task) noexcept;

// The worker is done with the task, or gone, and so is the client.
void end_for_nobody(Shard& shard, Task& task) noexcept;

// Routed: its worker says that it does not and will not run it, so anybody else may.
void return_task(Shard& shard, Task& task) noexcept;

// The client said that the task's outcome came.
void on_outcome_known(Shard& shard, Task& task) noexcept;

// The client has not said so by TTL + grace, and by now has ended the task itself.
void forget_client(Shard& shard, Task& task) noexcept;

// The worker's slot is back, by its RESULT or its word; what is left is the client's side.
void end_cancelling(Shard& shard, Task& task) noexcept;

void release_worker_slot(Shard& shard, Task& task) noexcept;

}  // namespace mcplane::dataplane
