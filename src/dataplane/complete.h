// How frames of a worker find their task. On the shard's core.
#pragma once

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// The task a worker's frame speaks of; null when it is another's, another attempt's, or over.
Task* find_attempt(Shard& shard, const wire::Header& header) noexcept;
// The worker has the task, if it is one.
void on_arrival(Shard& shard, Task* task) noexcept;

}  // namespace mcplane::dataplane
