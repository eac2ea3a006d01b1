// How often an endpoint says that it is there, so that a shard's PINGs stay below kPingsPerSecondMax however many
// peers it has; and how long an interval the slowest endpoint may lawfully still keep, by which leases are judged.
// Endpoints are told by HELLO's ACK and by every PONG. Told a shorter one than before, an endpoint hears of it when
// its next PING is answered, or has lost its lease by kIntervalsToHear of the longer. Pure; time is passed in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/types.h"
#include "control/peers/lately_told.h"

namespace mcplane::control {

class HeartbeatPace {
 public:
  static constexpr std::uint64_t kPingsPerSecondMax = 50'000;  // a shard
  static constexpr std::uint32_t kIntervalsToHear = 4;

  explicit HeartbeatPace(std::uint32_t least_ms) : least_ms_(least_ms), interval_ms_(least_ms) {}

  // A peer PINGs one shard an interval, whichever it is: `peers` are those of all shards.
  void set(std::size_t peers, std::size_t shards, std::uint64_t now_ns) noexcept {
    const std::uint64_t pings = kPingsPerSecondMax * shards;
    const std::uint64_t spread_ms = (peers * std::uint64_t{1'000} + pings - 1) / pings;
    interval_ms_.tell(std::max(least_ms_, static_cast<std::uint32_t>(spread_ms)), now_ns,
                      [this] { return std::uint64_t{kIntervalsToHear} * judged_ms() * kNsPerMs; });
  }

  std::uint32_t told_ms() const noexcept { return interval_ms_.told(); }
  std::uint32_t judged_ms() const noexcept { return interval_ms_.outermost(); }

 private:
  std::uint32_t least_ms_;
  LatelyTold<std::less<>> interval_ms_;
};

}  // namespace mcplane::control
