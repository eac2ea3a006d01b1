// Copies frames for people while a capture is on (state/capture.h), as they are on the wire: as received, before any
// station, and as they go to the NIC. Off, it costs a load of a line that all cores share and a branch that is always
// taken alike, a burst.
#pragma once

#include <span>

#include "dataplane/shard.h"

namespace mcplane::dataplane {

struct TapPoint {
  std::uint64_t at_ns = 0;
  PortId port{};  // outgoing frames'; received ones know theirs
  bool outgoing = false;
  std::span<const std::byte> (*tail_of)(const net::Packet&) noexcept = nullptr;  // of outgoing frames
};

void copy_matching(const Shard& shard, state::Capture& capture, std::span<const net::Packet> packets,
                   const TapPoint& where) noexcept;

// A frame that a full NIC queue then does not take is copied all the same: afterwards its buffer is the NIC's.
inline void tap(const Shard& shard, std::span<const net::Packet> packets, const TapPoint& where) noexcept {
  if (!observed()) return;
  if (state::Capture* const capture = shard.shared.capture.load(std::memory_order_acquire)) [[unlikely]]
    copy_matching(shard, *capture, packets, where);
}

}  // namespace mcplane::dataplane
