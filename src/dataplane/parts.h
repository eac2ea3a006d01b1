// Parts of messages longer than a frame (schemas/README.md, Messages in parts), between stations 3 and 7. A message's
// first part makes the task and its last one ends it, at the stations where whole ones do; what lies between is passed
// on here, one by one, and none is kept. The ends grant, order and repeat: the broker's state a task does not grow with
// its payload. Runs on the shard's core.
#pragma once

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// A later part of a SEND: to the worker that has the task.
Verdict on_task_part(Shard& shard, net::Packet& packet, Frame& frame, const Session& client) noexcept;
// Part 0 again, of a task that is in its worker's hands: its sender has heard no GRANT.
Verdict on_task_again(Shard& shard, net::Packet& packet, Frame& frame, Task& task) noexcept;
// A part of the answer that the task's worker gives. True: the caller passes it on, and that is all. False: it is the
// last one, come for the first time, and ends the task as a whole RESULT does.
bool on_answer_part(Shard& shard, Task& task, const wire::Header& result) noexcept;
// A part of the answer to a copy, which more follow: its worker is told to go on, as by a client that has all before
// it.
Verdict swallow_answer_part(Shard& shard, net::Packet& packet, Frame& frame) noexcept;
// A receiver's GRANT, to the sender of those parts.
Verdict on_grant(Shard& shard, net::Packet& packet, Frame& frame, const Session& from) noexcept;

}  // namespace mcplane::dataplane
