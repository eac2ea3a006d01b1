// How often an endpoint says that it is there, so that a shard's PINGs stay below kPingsPerSecondMax however many
// peers it has; and how long an interval the slowest endpoint may lawfully still keep, by which leases are judged.
// Endpoints are told by HELLO's ACK and by every PONG. Told a shorter one than before, an endpoint hears of it when
// its next PING is answered, or has lost its lease by kIntervalsToHear of the longer. Pure; time is passed in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/types.h"

namespace mcplane::control {

class HeartbeatPace {
 public:
  static constexpr std::uint64_t kPingsPerSecondMax = 50'000;  // a shard
  static constexpr std::uint32_t kIntervalsToHear = 4;

  explicit HeartbeatPace(std::uint32_t least_ms) : least_ms_(least_ms), told_ms_(least_ms), longest_ms_(least_ms) {}

  // A peer PINGs one shard an interval, whichever it is: `peers` are those of all shards.
  void set(std::size_t peers, std::size_t shards, std::uint64_t now_ns) noexcept {
    const std::uint64_t pings = kPingsPerSecondMax * shards;
    const std::uint64_t spread_ms = (peers * std::uint64_t{1'000} + pings - 1) / pings;
    told_ms_ = std::max(least_ms_, static_cast<std::uint32_t>(spread_ms));
    longest_ms_ = std::max(longest_ms_, told_ms_);
    if (now_ns < period_end_ns_) return;
    before_ms_ = longest_ms_;
    longest_ms_ = told_ms_;
    period_end_ns_ = now_ns + std::uint64_t{kIntervalsToHear} * before_ms_ * kNsPerMs;
  }

  std::uint32_t told_ms() const noexcept { return told_ms_; }
  // What was told in a period is judged by until the end of the next, which is as long as anyone needs to hear.
  std::uint32_t judged_ms() const noexcept { return std::max(before_ms_, longest_ms_); }

 private:
  std::uint32_t least_ms_;
  std::uint32_t told_ms_;
  std::uint32_t longest_ms_;     // told in this period
  std::uint32_t before_ms_ = 0;  // in the one before
  std::uint64_t period_end_ns_ = 0;
};

}  // namespace mcplane::control
