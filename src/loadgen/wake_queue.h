// When each of N engines wants to be woken: a heap with at most one live entry an engine, so that ten thousand idle
// engines cost nothing a tick. Lazy: a time that moves back keeps its entry, which then fires early once and is armed
// anew; only a time that moves forward costs a push. One thread; no allocation once the heap has grown.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

namespace mcplane::loadgen {

class WakeQueue {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  explicit WakeQueue(std::size_t engines) : armed_ns_(engines, kNever) { heap_.reserve(2 * engines); }

  // The engine is to be woken at time_ns at the latest.
  void arm(std::uint32_t engine, std::uint64_t time_ns) {
    if (time_ns >= armed_ns_[engine]) return;
    armed_ns_[engine] = time_ns;
    heap_.push_back({time_ns, engine});
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
  }

  // An engine whose time has come; it is no longer armed.
  std::optional<std::uint32_t> take_due(std::uint64_t now_ns) noexcept {
    while (!heap_.empty() && heap_.front().time_ns <= now_ns) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
      const Entry entry = heap_.back();
      heap_.pop_back();
      // Armed for an earlier time since: that entry has fired.
      if (armed_ns_[entry.engine] != entry.time_ns) continue;
      armed_ns_[entry.engine] = kNever;
      return entry.engine;
    }
    return std::nullopt;
  }

 private:
  struct Entry {
    std::uint64_t time_ns = 0;
    std::uint32_t engine = 0;
    friend bool operator>(const Entry& a, const Entry& b) noexcept { return a.time_ns > b.time_ns; }
  };

  std::vector<std::uint64_t> armed_ns_;  // by engine
  std::vector<Entry> heap_;              // the first due on top
};

}  // namespace mcplane::loadgen
