// Indices in the order of a time: frames by when they were last sent, or by since when they are owed an answer. Doubly
// linked through nodes that lie apart from what they name, so that joining and leaving touch one or two cache lines
// and never the neighbours' records. An index is in at most one of the lists that share the nodes. One thread.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "base/check.h"
#include "base/prefetch.h"
#include "base/types.h"

namespace mcplane::client {

class TimedNodes {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffffU;

  explicit TimedNodes(std::size_t count = 0) : nodes_(count) {}
  // For one index more.
  void grow() { nodes_.emplace_back(); }
  std::size_t size() const noexcept { return nodes_.size(); }
  void prefetch(std::uint32_t index) const noexcept { prefetch_to_write(&nodes_[index]); }

 private:
  friend class TimedList;
  struct Node {
    std::uint32_t previous = kNone;
    std::uint32_t next = kNone;
    std::uint32_t time_us = 0;  // low bits: entries are at most an hour older than their list's newest
  };
  std::vector<Node> nodes_;
};

class TimedList {
 public:
  static constexpr std::uint32_t kNone = TimedNodes::kNone;
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  bool empty() const noexcept { return first_ == kNone; }
  std::uint32_t first() const noexcept { return first_; }
  static std::uint32_t next(const TimedNodes& nodes, std::uint32_t index) noexcept { return nodes.nodes_[index].next; }
  // Of the first, to the microsecond; kNever when empty.
  std::uint64_t first_ns(const TimedNodes& nodes) const noexcept {
    if (empty()) return kNever;
    return (newest_us_ - (static_cast<std::uint32_t>(newest_us_) - nodes.nodes_[first_].time_us)) * kNsPerUs;
  }

  // When the first has been here for so long; kNever when empty.
  std::uint64_t due_ns(const TimedNodes& nodes, std::uint64_t after_ns) const noexcept {
    return empty() ? kNever : first_ns(nodes) + after_ns;
  }

  // time_ns is no earlier than that of any other entry.
  void push_back(TimedNodes& nodes, std::uint32_t index, std::uint64_t time_ns) noexcept {
    newest_us_ = time_ns / kNsPerUs;
    auto& node = nodes.nodes_[index];
    node = {last_, kNone, static_cast<std::uint32_t>(newest_us_)};
    (last_ == kNone ? first_ : nodes.nodes_[last_].next) = index;
    last_ = index;
  }
  void erase(TimedNodes& nodes, std::uint32_t index) noexcept {
    const auto node = nodes.nodes_[index];
    (node.previous == kNone ? first_ : nodes.nodes_[node.previous].next) = node.next;
    (node.next == kNone ? last_ : nodes.nodes_[node.next].previous) = node.previous;
  }
  // The nodes' own state does not matter: they are in no list once every list is cleared.
  void clear() noexcept { first_ = last_ = kNone; }

 private:
  std::uint32_t first_ = kNone, last_ = kNone;
  std::uint64_t newest_us_ = 0;
};

}  // namespace mcplane::client
