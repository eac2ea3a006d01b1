// SEND frames that wait for a worker: the only frames a shard keeps. A bounded table; each route has a line of them for
// each class of urgency. Owner: the shard's core.
//
//   route ── class 0 ── client <-> client <-> ...   take turns: who sends much waits behind itself
//         ── class 1       |  frame, frame, ...     in the order they came
//
// Classes share by start-time fair queueing (Goyal, Vin, Cheng 1996), each at its own stride of a virtual time: 75, 19,
// 5 and 1 % of the turns while all have waiters, so an urgent task leaves next or nearly so and no class starves. A
// client holds at most four times as much of the table as is free (a dynamic threshold; Choudhury, Hahne 1998): one
// alone can fill four fifths, others find room beside it. Everything is O(1), a task that leaves a line's middle too.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/types.h"
#include "net/packet.h"
#include "wire/header.h"

namespace mcplane::dataplane {

struct HeldFrame {
  static constexpr std::uint32_t kNone = 0xffffffffU;

  net::Packet packet;
  std::uint32_t task = kNone;
  std::uint32_t next = kNone, previous = kNone;  // of its client's
  std::uint32_t flow = kNone;
  std::uint16_t payload_length = 0;
  std::uint16_t tail_sum = 0;
  std::uint8_t payload_offset = 0;  // of the MCP datagram in the packet
};

// Whose frames, in which line.
struct FlowName {
  SessionId client;
  std::uint16_t route = 0;  // index of its RouteEntry
  std::uint8_t priority = 0;

  friend bool operator==(const FlowName&, const FlowName&) = default;
};

// The frames of one client in one class of one route; exists while there are any.
struct Flow {
  FlowName name;
  std::uint32_t head = HeldFrame::kNone, tail = HeldFrame::kNone, frames = 0;
  std::uint32_t next = HeldFrame::kNone,
                previous = HeldFrame::kNone;  // in the ring of its class; next: in the free list
  std::uint32_t chained = HeldFrame::kNone;   // in its hash bucket
};

struct WaitingClass {
  std::uint32_t turn = HeldFrame::kNone;  // the flow that is next
  std::uint32_t flows = 0, frames = 0;
  std::uint32_t at = 0;  // virtual time of its next turn; counts round
};

struct WaitingLines {
  std::array<WaitingClass, wire::kPriorities> classes;
  std::uint32_t frames = 0;
  std::uint32_t now = 0;  // virtual time of the last turn
};

class HeldFrames {
 public:
  // Frames, and so clients with any.
  explicit HeldFrames(std::uint32_t capacity);

  bool full() const noexcept { return free_frame_ == HeldFrame::kNone; }
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t capacity() const noexcept { return capacity_; }
  HeldFrame& operator[](std::uint32_t index) noexcept { return frames_[index]; }
  const FlowName& name_of(const HeldFrame& frame) const noexcept { return flows_[frame.flow].name; }

  // How many the client has there, and whether one with so many may have one more.
  std::uint32_t waiting(const FlowName& name) const noexcept;
  bool has_room(std::uint32_t waiting) const noexcept;

  // To the end of its client's; not full(). Returns the index. `lines` are those of name.route, here and below.
  std::uint32_t push(WaitingLines& lines, const FlowName& name, HeldFrame frame) noexcept;
  // The frame whose turn it is. Some wait.
  std::uint32_t front(const WaitingLines& lines) const noexcept;
  // Takes that one out: its class and its client have had their turn.
  HeldFrame take_front(WaitingLines& lines) noexcept;
  // Takes any out, out of turn.
  HeldFrame take(WaitingLines& lines, std::uint32_t index) noexcept;

  static constexpr std::size_t kBytesPerFrame = sizeof(HeldFrame) + sizeof(Flow) + 2 * sizeof(std::uint32_t);

 private:
  std::uint32_t& bucket_of(const FlowName& name) const noexcept;
  std::uint32_t find(const FlowName& name) const noexcept;
  std::uint32_t add_flow(WaitingLines& lines, const FlowName& name) noexcept;
  void remove_flow(WaitingClass& line, std::uint32_t index) noexcept;

  std::unique_ptr<HeldFrame[]> frames_;
  std::unique_ptr<Flow[]> flows_;
  std::unique_ptr<std::uint32_t[]> buckets_;  // heads of chains of flows; at least as many as frames
  std::uint32_t capacity_, bucket_mask_;
  std::uint32_t size_ = 0;
  std::uint32_t free_frame_ = HeldFrame::kNone, free_flow_ = HeldFrame::kNone;
};

}  // namespace mcplane::dataplane
