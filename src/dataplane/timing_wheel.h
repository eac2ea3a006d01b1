// A hierarchical timing wheel (Varghese, Lauck 1987, scheme 7): 4 levels of 256 slots, 1 ms a tick, so every
// 32-bit delay below 2^31 ms fits. Insert and remove are O(1) and touch two neighbours; nothing is allocated.
// Nodes live in the caller's objects; the wheel knows them by index. Owner: one dataplane core.
#pragma once

#include <array>
#include <cstdint>

#include "base/check.h"

namespace mcplane::dataplane {

struct TimerNode {
  static constexpr std::uint32_t kUnlinked = 0xffffffffU;
  std::uint32_t next = kUnlinked;      // kUnlinked: last of its slot
  std::uint32_t previous = kUnlinked;  // kUnlinked: not in the wheel; kHeadFlag set: first of that slot
  std::uint32_t tick = 0;              // when it fires, ms

  bool armed() const noexcept { return previous != kUnlinked; }
};

// NodeOf: TimerNode& operator()(std::uint32_t index) const. Indices stay below 2^31.
template <class NodeOf>
class TimingWheel {
 public:
  TimingWheel(NodeOf node_of, std::uint32_t now_tick) : node_of_(node_of), now_(now_tick) {
    heads_.fill(TimerNode::kUnlinked);
  }

  // Fires at the first advance() to `tick` or later; a tick that has passed fires at the next tick.
  void arm(std::uint32_t index, std::uint32_t tick) noexcept {
    TimerNode& node = node_of_(index);
    DCHECK(!node.armed());
    node.tick = after(tick, now_) ? tick : now_ + 1;
    link(index, node);
    ++armed_;
  }

  // Armed or not: fires at `tick` from now on. To a later tick it is one store: the node is looked at when its old one
  // comes.
  void move(std::uint32_t index, std::uint32_t tick) noexcept {
    if (postpone(node_of_(index), tick)) return;
    disarm(index);
    arm(index, tick);
  }
  // The same where it is one store; false, and nothing done, where it is more.
  static bool postpone(TimerNode& node, std::uint32_t tick) noexcept {
    if (!node.armed() || after(node.tick, tick)) return false;
    node.tick = tick;
    return true;
  }

  void disarm(std::uint32_t index) noexcept {
    TimerNode& node = node_of_(index);
    if (!node.armed()) return;
    unlink(node);
    --armed_;
  }

  // Lets the caller fetch what move() to `tick` will touch: the neighbours, where the node leaves its slot.
  template <class Visit>
  void visit_moved(const TimerNode& node, std::uint32_t tick, Visit&& visit) const noexcept {
    if (!node.armed() || !after(node.tick, tick)) return;
    if ((node.previous & kHeadFlag) == 0) visit(node.previous);
    if (node.next != TimerNode::kUnlinked) visit(node.next);
  }

  // Moves time to `tick` and calls fire(index) for each node that is due; looks at no more than `budget` nodes, what is
  // left waits for the next call. A node is disarmed before its call, so fire may arm it again. Walks at most kTicksMax
  // ticks a call. Returns the number looked at.
  template <class Fire>
  std::uint32_t advance(std::uint32_t tick, std::uint32_t budget, Fire&& fire) noexcept {
    std::uint32_t fired = 0;
    for (std::uint32_t walked = 0;; ++walked) {
      while (heads_[slot_of(0, now_)] != TimerNode::kUnlinked) {
        if (fired == budget) return fired;
        const std::uint32_t index = heads_[slot_of(0, now_)];
        TimerNode& node = node_of_(index);
        const bool postponed = after(node.tick, now_);
        disarm(index);
        ++fired;
        if (postponed) {
          arm(index, node.tick);
          continue;
        }
        fire(index);
      }
      if (!after(tick, now_) || walked == kTicksMax) return fired;
      ++now_;
      cascade();
    }
  }

  std::uint32_t armed() const noexcept { return armed_; }
  // Ticks until advance() may have something to do, at most `max`. Looks at one slot a tick, and no further than where
  // the upper levels come down.
  std::uint32_t quiet_ticks(std::uint32_t max) const noexcept {
    if (armed_ == 0) return max;
    for (std::uint32_t ticks = 1; ticks < max; ++ticks) {
      const std::uint32_t slot = slot_of(0, now_ + ticks);
      if (slot == 0 || heads_[slot] != TimerNode::kUnlinked) return ticks;
    }
    return max;
  }
  std::uint32_t now() const noexcept { return now_; }

 private:
  static constexpr std::uint32_t kLevels = 4, kSlotBits = 8, kSlots = 1U << kSlotBits;
  static constexpr std::uint32_t kHeadFlag = 0x80000000U;
  static constexpr std::uint32_t kTicksMax = 256;

  // a later than b, serial arithmetic.
  static bool after(std::uint32_t a, std::uint32_t b) noexcept { return static_cast<std::int32_t>(a - b) > 0; }

  static std::uint32_t slot_of(std::uint32_t level, std::uint32_t tick) noexcept {
    return level * kSlots + ((tick >> (level * kSlotBits)) & (kSlots - 1));
  }

  // The level is that of the highest byte in which the node's tick differs from now: the slot is reached, and
  // cascaded, exactly when all bytes above it agree.
  void link(std::uint32_t index, TimerNode& node) noexcept {
    const std::uint32_t difference = node.tick ^ now_;
    const std::uint32_t level = difference >> 24 ? 3 : difference >> 16 ? 2 : difference >> 8 ? 1 : 0;
    const std::uint32_t slot = slot_of(level, node.tick);
    node.next = heads_[slot];
    node.previous = kHeadFlag | slot;
    if (node.next != TimerNode::kUnlinked) node_of_(node.next).previous = index;
    heads_[slot] = index;
  }

  void unlink(TimerNode& node) noexcept {
    if (node.previous & kHeadFlag)
      heads_[node.previous & ~kHeadFlag] = node.next;
    else
      node_of_(node.previous).next = node.next;
    if (node.next != TimerNode::kUnlinked) node_of_(node.next).previous = node.previous;
    node.previous = TimerNode::kUnlinked;
  }

  // Called when now_ has moved: re-links what the upper levels hold for the new tick, highest level first.
  void cascade() noexcept {
    for (std::uint32_t level = kLevels - 1; level >= 1; --level) {
      if ((now_ & ((1U << (level * kSlotBits)) - 1)) != 0) continue;
      const std::uint32_t slot = slot_of(level, now_);
      std::uint32_t index = heads_[slot];
      heads_[slot] = TimerNode::kUnlinked;
      while (index != TimerNode::kUnlinked) {
        TimerNode& node = node_of_(index);
        const std::uint32_t next = node.next;
        link(index, node);
        index = next;
      }
    }
  }

  NodeOf node_of_;
  std::uint32_t now_;
  std::uint32_t armed_ = 0;
  std::array<std::uint32_t, kLevels * kSlots> heads_;
};

}  // namespace mcplane::dataplane
