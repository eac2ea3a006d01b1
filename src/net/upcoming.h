// What a NIC in shared memory copies next, as far as it can tell: its next frames, and the buffers that those sent now
// go to. Their lines are in another core's cache. Stations ask for them one frame at a time while they work on the
// burst at hand, since a core waits for some twenty lines at once; the copy then finds them near. Addresses are another
// process's word: they are asked for, never read. Owned by a shard, filled by its NIC once a burst; one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/prefetch.h"
#include "base/types.h"
#include "net/nic.h"

namespace mcplane::net {

class Upcoming {
 public:
  // Of a frame. Of what is longer the rest is fetched by the processor, which sees its lines come in order.
  static constexpr std::size_t kBytesMax = 8 * kCacheLineBytes;

  void clear() noexcept { frames_count_ = buffers_count_ = 0; }
  // At most kBurstMax of each.
  void add_frame(const std::byte* at, std::size_t bytes) noexcept {
    DCHECK(frames_count_ < kBurstMax);
    frames_[frames_count_++] = {at, static_cast<std::uint32_t>(std::min(bytes, kBytesMax))};
  }
  void add_buffer(const std::byte* at) noexcept {
    DCHECK(buffers_count_ < kBurstMax);
    buffers_[buffers_count_++] = at;
  }

  std::size_t frames() const noexcept { return frames_count_; }
  std::size_t buffers() const noexcept { return buffers_count_; }
  // i < frames(). Into the second cache: the first is full of the burst at hand.
  void prefetch_frame(std::size_t i) const noexcept {
    for_lines(frames_[i].at, frames_[i].bytes, [](const void* line) { prefetch_near(line); });
  }
  // i < buffers(). bytes: that will be written there.
  void prefetch_buffer(std::size_t i, std::size_t bytes) const noexcept {
    for_lines(buffers_[i], std::min(bytes, kBytesMax), [](const void* line) { prefetch_to_write(line); });
  }

 private:
  struct Frame {
    const std::byte* at;
    std::uint32_t bytes;
  };

  template <class Visit>
  static void for_lines(const std::byte* at, std::size_t bytes, Visit visit) noexcept {
    const std::byte* const end = at + bytes;
    for (at -= reinterpret_cast<std::uintptr_t>(at) % kCacheLineBytes; at < end; at += kCacheLineBytes) visit(at);
  }

  std::size_t frames_count_ = 0, buffers_count_ = 0;
  std::array<Frame, kBurstMax> frames_;
  std::array<const std::byte*, kBurstMax> buffers_;
};

// A NIC that can tell. peek: what comes behind the `frames` that it just gave, and where as many would go.
template <class T>
concept Peeking = requires(T nic, std::uint16_t frames, Upcoming& upcoming) {
  { nic.peek(frames, upcoming) }
  noexcept->std::same_as<void>;
};

}  // namespace mcplane::net
