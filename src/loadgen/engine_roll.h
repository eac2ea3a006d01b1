// What a fleet knows of its engines without looking at each: how many are registered, which are still to be started,
// and which is due next. A tick costs nothing for an engine that waits. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/prefetch.h"
#include "base/types.h"
#include "loadgen/wake_queue.h"

namespace mcplane::loadgen {

// All lines of an object that will be written.
template <class Object>
void prefetch_object(const Object& object) noexcept {
  const auto* const start = reinterpret_cast<const std::byte*>(&object);
  for (std::size_t line = 0; line < sizeof object; line += kCacheLineBytes) prefetch_to_write(start + line);
}

class EngineRoll {
 public:
  // HELLOs are full-size frames: a thousand at once would overrun the broker's receive queue.
  static constexpr std::uint32_t kStartsPerTick = 32;

  explicit EngineRoll(std::size_t engines) : registered_flags_(engines, false), wakes_(engines) {}

  // After anything that an engine did. not_before_ns: an engine sends one datagram a call, and what is still due after
  // it waits until then.
  template <class Engine>
  void note(std::uint32_t index, const Engine& engine, std::uint64_t not_before_ns = 0) {
    const bool registered = engine.session().registered();
    if (registered != (registered_flags_[index] != 0)) {
      registered_flags_[index] = registered ? 1 : 0;
      registered_ += registered ? 1 : std::size_t(-1);
    }
    wakes_.arm(index, std::max(engine.next_timer_ns(), not_before_ns));
  }
  std::size_t registered() const noexcept { return registered_; }

  // The next engine to be started in this tick.
  void begin_tick() noexcept { starts_left_ = kStartsPerTick; }
  std::optional<std::uint32_t> take_start() noexcept {
    if (starts_left_ == 0 || started_ == registered_flags_.size()) return std::nullopt;
    --starts_left_;
    return started_++;
  }

  void arm(std::uint32_t index, std::uint64_t time_ns) { wakes_.arm(index, time_ns); }
  std::optional<std::uint32_t> take_due(std::uint64_t now_ns) noexcept { return wakes_.take_due(now_ns); }

 private:
  std::vector<std::uint8_t> registered_flags_;  // by engine
  WakeQueue wakes_;
  std::size_t registered_ = 0;
  std::uint32_t started_ = 0, starts_left_ = 0;
};

}  // namespace mcplane::loadgen
