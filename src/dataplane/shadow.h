// A load test beside production: tasks with the flag SHADOW go to shadow workers only (state/route_snapshot.h), count
// for no limit and in books of their own (state/counters.h), and are the first that there is no room for. What both
// share is a core's time, and its tables up to here. Runs on the shard's core.
#pragma once

#include <cstdint>

#include "dataplane/admission.h"
#include "dataplane/shard.h"

namespace mcplane::dataplane {

// Of the tasks, and of the frames that wait, that a core has room for: load tests never have more than an eighth, and
// get no more once less than a quarter is left. Copies of production's tasks (mirror.h) have a share of their own.
inline constexpr std::uint32_t kShadowShare = 8, kMirrorShare = 16, kLeftForProduction = 4;

// Tasks of a kind that has so many there, where the table has `used` of `capacity`.
constexpr bool has_shadow_room(std::uint64_t own, std::uint32_t share, std::uint32_t used,
                               std::uint32_t capacity) noexcept {
  return own < std::max(1U, capacity / share) && used < capacity - capacity / kLeftForProduction;
}

// Whether one more shadow task may begin, or wait.
Refusal check_shadow_table(const Shard& shard) noexcept;
Refusal check_shadow_line(const Shard& shard) noexcept;

}  // namespace mcplane::dataplane
