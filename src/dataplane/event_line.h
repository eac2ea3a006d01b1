// Events on their way to more subscribers than a loop serves: a bounded line of PUBLISHes, each with those that still
// get it. A PUBLISH keeps its buffer until its last subscriber's turn. Owner: the shard's core.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/large_array.h"
#include "base/planted_bug.h"
#include "net/packet.h"
#include "state/topic_tree.h"

namespace mcplane::dataplane {

struct FanOut {
  net::Packet packet;  // just the MCP datagram
  std::uint16_t tail_sum = 0;
  std::uint16_t shares = 0;  // EVENTs that have its tail; any: it is not changed any more
  std::uint32_t left = 0;    // subscribers
};

class EventLine {
 public:
  // By name, not by address: who is gone when its turn comes is not found any more.
  using Target = state::TopicTree::Subscription;

  static constexpr std::uint32_t kFanOuts = 128;
  static constexpr std::uint32_t kTargets = 65'536;  // of all fan-outs
  static constexpr std::size_t kBytes = kTargets * sizeof(Target);

  EventLine() : targets_(kTargets) {}

  bool empty() const noexcept { return first_ == end_; }
  bool full() const noexcept { return end_ - first_ == kFanOuts; }

  // The next fan-out is made of targets, then of the frame. Not full(). False when there is no room for the target.
  bool add(const Target& target) noexcept {
    if (targets_end_ - targets_first_ == kTargets) return false;
    targets_[targets_end_++ % kTargets] = target;
    ++added_;
    return true;
  }
  std::uint32_t added() const noexcept { return added_; }
  // Some were added.
  void close(FanOut fan_out) noexcept {
    DCHECK(added_ > 0 && !full());
    fan_out.left = std::exchange(added_, 0);
    fan_outs_[end_++ % kFanOuts] = std::move(fan_out);
  }

  // Not empty().
  FanOut& front() noexcept { return fan_outs_[first_ % kFanOuts]; }
  const Target& next_target() const noexcept { return targets_[targets_first_ % kTargets]; }
  // Whose turn it is in front(). With its last one, left 0, the fan-out leaves the line: it stays where it is until the
  // next is closed.
  Target take_target() noexcept {
    const bool last = --front().left == 0;
    if (last) ++first_;
    const Target target = targets_[targets_first_ % kTargets];
    if (!last || !planted(PlantedBug::kEventToOther)) ++targets_first_;
    return target;
  }

  // Calls visit(packet) for each that the line holds.
  template <class Visit>
  void for_packets(Visit visit) noexcept {
    for (std::uint32_t i = first_; i != end_; ++i) visit(fan_outs_[i % kFanOuts].packet);
  }

 private:
  static_assert(kFanOuts % 2 == 0 && kTargets % kFanOuts == 0, "counters go round at 2^32");

  std::array<FanOut, kFanOuts> fan_outs_;
  LargeArray<Target> targets_;
  // Count on and on.
  std::uint32_t first_ = 0, end_ = 0, targets_first_ = 0, targets_end_ = 0;
  std::uint32_t added_ = 0;
};

}  // namespace mcplane::dataplane
