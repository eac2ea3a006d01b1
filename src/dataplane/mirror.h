// Copies of production's tasks for shadow workers, of the share of a route's tasks that RouteRule::mirror says. A copy
// is a task without a client: it goes at once, in a spare buffer, to a shadow worker with room, or is not made; it is
// never repeated and never given to another; its answer is dropped, and when its TTL passes it is cancelled as any
// task. The original is on its way before: nothing of it waits for the copy or hears of it. Runs on the shard's core.
#pragma once

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// Behind route_task() of a task of that entry: its ROUTE is the last departure.
void make_copy(Shard& shard, RouteEntry& entry, const Task& original) noexcept;
inline void mirror(Shard& shard, RouteEntry& entry, const Task& original) noexcept {
  if (entry.rule.mirror > 0) [[unlikely]]
    make_copy(shard, entry, original);
}

// Its answer came: nobody's, but it says how its worker does.
void end_copy(Shard& shard, Task& task, const wire::Header& result) noexcept;

}  // namespace mcplane::dataplane
