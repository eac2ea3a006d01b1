// See shadow.h.
#include "dataplane/shadow.h"

namespace mcplane::dataplane {

Refusal check_shadow_table(const Shard& shard) noexcept {
  const bool room =
      has_shadow_room(shard.counters.shadow.in_table(), kShadowShare, shard.tasks.in_use(), shard.tasks.capacity());
  return room ? Refusal{} : Refusal{.reason = wire::Reason::TableFull};
}

Refusal check_shadow_line(const Shard& shard) noexcept {
  const std::uint64_t waiting = shard.counters.shadow.in_state[raw(TaskState::kQueued)].read();
  const bool room = has_shadow_room(waiting, kShadowShare, shard.held.size(), shard.held.capacity());
  return room ? Refusal{} : Refusal{.reason = wire::Reason::QueueFull};
}

}  // namespace mcplane::dataplane
