// Whether a SEND may become a task now: the limits of its client and of its route, and whether its turn would come in
// time. A refusal costs less than the task would, and says when to try again. Runs on the shard's core.
#pragma once

#include <cstdint>

#include "dataplane/shard.h"

namespace mcplane::dataplane {

struct Refusal {
  wire::Reason reason = wire::Reason::Ok;  // Ok: none
  std::uint32_t retry_after_ms = 0;        // 0: as the shard's options say

  explicit operator bool() const noexcept { return reason != wire::Reason::Ok; }
};

// By rates and by how much is open, where the entry is `limited`. A task that may come is paid for.
Refusal check_limits(Shard& shard, const RouteEntry& entry, Session& client) noexcept;

// Before it joins the line of a route without a free worker. Its wait is foreseen from what is before it and from how
// fast turns have come lately. Too long is longer than it has to live; and where the line has not been empty for
// eight times as long as a task takes, and at least 100 ms, longer than three tasks take: a line that stands gives
// nobody more work done, and everybody a longer wait. The least urgent class may wait as long as it lives.
// own: tasks of the same client that wait in that class.
Refusal check_wait(const Shard& shard, const RouteEntry& entry, std::uint8_t priority, std::uint32_t own,
                   std::uint32_t ttl_ms) noexcept;

// Of an entry that is `limited`: the task counts for its client and its route, until Shard::close().
void open_task(Shard& shard, const RouteEntry& entry, Session& client, Task& task) noexcept;

// Slots of the workers of a route and how many of them were free when control counted last, for people.
struct Slots {
  std::uint32_t all = 0, free = 0;
};
Slots slots_of(const Shard& shard, const RouteEntry& entry) noexcept;

}  // namespace mcplane::dataplane
