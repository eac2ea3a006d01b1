// SEND frames that wait for a worker: the only frames a shard keeps. A bounded table, linked into one FIFO a route
// and priority; a task that expires leaves the middle of its line in O(1). Owner: the shard's core.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"
#include "net/packet.h"

namespace mcplane::dataplane {

struct HeldFrame {
  static constexpr std::uint32_t kNone = 0xffffffffU;

  net::Packet packet;
  std::uint32_t task = kNone;
  std::uint32_t next = kNone, previous = kNone;
  std::uint16_t route = 0;  // index of its RouteEntry
  std::uint16_t payload_length = 0;
  std::uint16_t tail_sum = 0;
  std::uint8_t payload_offset = 0;  // of the MCP datagram in the packet
  std::uint8_t priority = 0;
};

// A waiting line: indices into HeldFrames.
struct WaitingLine {
  std::uint32_t head = HeldFrame::kNone, tail = HeldFrame::kNone;
};

class HeldFrames {
 public:
  explicit HeldFrames(std::uint32_t capacity) : frames_(new HeldFrame[capacity]), capacity_(capacity) {
    for (std::uint32_t i = 0; i < capacity; ++i) frames_[i].next = i + 1 < capacity ? i + 1 : HeldFrame::kNone;
    free_head_ = capacity > 0 ? 0 : HeldFrame::kNone;
  }

  bool full() const noexcept { return free_head_ == HeldFrame::kNone; }
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t capacity() const noexcept { return capacity_; }
  HeldFrame& operator[](std::uint32_t index) noexcept { return frames_[index]; }

  // Appends to the line; not full(). Returns the index.
  std::uint32_t push(WaitingLine& line, HeldFrame frame) noexcept {
    DCHECK(!full());
    const std::uint32_t index = free_head_;
    free_head_ = frames_[index].next;
    HeldFrame& held = frames_[index] = std::move(frame);
    held.next = HeldFrame::kNone;
    held.previous = line.tail;
    (line.tail == HeldFrame::kNone ? line.head : frames_[line.tail].next) = index;
    line.tail = index;
    ++size_;
    return index;
  }

  // Takes a frame out of its line and its slot.
  HeldFrame take(WaitingLine& line, std::uint32_t index) noexcept {
    HeldFrame frame = std::exchange(frames_[index], HeldFrame{});
    (frame.previous == HeldFrame::kNone ? line.head : frames_[frame.previous].next) = frame.next;
    (frame.next == HeldFrame::kNone ? line.tail : frames_[frame.next].previous) = frame.previous;
    frames_[index].next = free_head_;
    free_head_ = index;
    --size_;
    return frame;
  }

 private:
  std::unique_ptr<HeldFrame[]> frames_;
  std::uint32_t capacity_;
  std::uint32_t size_ = 0;
  std::uint32_t free_head_ = HeldFrame::kNone;
};

}  // namespace mcplane::dataplane
