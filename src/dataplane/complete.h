// How frames find the task that they speak of. On the shard's core.
#pragma once

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// The task a worker's frame speaks of; null when it is another's, another attempt's, or over.
Task* find_attempt(Shard& shard, const wire::Header& header) noexcept;
// The client's task that its frame names, at the attempt that it names; null when it is over, or at another.
Task* find_own(Shard& shard, const wire::Header& header, SessionId client) noexcept;
// The worker has the task, if it is one.
void on_arrival(Shard& shard, Task* task) noexcept;

}  // namespace mcplane::dataplane
