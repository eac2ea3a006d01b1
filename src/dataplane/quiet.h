// How long a shard may be left alone. Owner: its core, between two turns.
#pragma once

#include <cstdint>

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// Milliseconds in which it has nothing to do unless a frame or a message comes, at most `max_ms`. 0: it is not done.
std::uint32_t quiet_ms(const Shard& shard, std::uint32_t max_ms) noexcept;

}  // namespace mcplane::dataplane
