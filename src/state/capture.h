// Frames copied for people while control has a capture on (Shared::capture): each core its own, into a bounded ring
// that control empties. Made by control, and gone when no core can hold it any more (Rcu::retire).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

#include "base/types.h"
#include "net/ring.h"
#include "state/counters.h"
#include "wire/address.h"

namespace mcplane::state {

struct CaptureFilter {
  std::optional<wire::IpAddress> peer{};  // the frame's other end
  std::uint32_t types = 0;                // MCP frame types, a bit each; 0: every frame, MCP or not
  std::uint16_t snap_bytes = 0;           // of a frame, at most CapturedFrame::kBytesMax
};

struct CapturedFrame {
  static constexpr std::size_t kBytesMax = 1'600;

  std::uint64_t at_ns = 0;     // on the shard's clock
  std::uint16_t length = 0;    // of the frame
  std::uint16_t captured = 0;  // of it, in `bytes`
  PortId port{};
  bool outgoing = false;
  std::array<std::byte, kBytesMax> bytes;
};
static_assert(std::is_trivially_copyable_v<CapturedFrame> && sizeof(CapturedFrame) % 4 == 0);

struct Capture {
  static constexpr std::size_t kSlots = 1'024;  // more than a core handles between two looks of control, but in a flood

  struct Lane {
    net::SpscRing<CapturedFrame> frames{kSlots};
    Counter missed;  // matched, and found the ring full
  };

  Capture(const CaptureFilter& given, std::size_t shards) : filter(given) {
    for (std::size_t i = 0; i < shards; ++i) lanes.push_back(std::make_unique<Lane>());
  }

  const CaptureFilter filter;
  std::vector<std::unique_ptr<Lane>> lanes;  // by shard
};

}  // namespace mcplane::state
