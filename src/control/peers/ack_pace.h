// How long acknowledgements may wait for a frame that takes them along. Among thousands of peers, one frame a peer and
// millisecond would be the better part of all frames, so there they take their time. Endpoints are told by HELLO's ACK
// and by every PONG, and ask again when they have heard nothing for longer; so shards keep to the shortest that anyone
// may still go by. Pure; time is passed in.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/types.h"
#include "control/peers/heartbeat_pace.h"
#include "control/peers/lately_told.h"

namespace mcplane::control {

class AckPace {
 public:
  static constexpr std::size_t kPeersPerShardMax = 1'000;  // that may each acknowledge as soon as they are asked to
  static constexpr std::uint32_t kCrowdUs = 25'000;

  // usual_us: among few.
  explicit AckPace(std::uint32_t usual_us) : usual_us_(usual_us), delay_us_(usual_us) {}

  // heartbeat_ms: the longest interval at which a peer may be told.
  void set(std::size_t peers, std::size_t shards, std::uint32_t heartbeat_ms, std::uint64_t now_ns) noexcept {
    delay_us_.tell(after(peers, shards, usual_us_), now_ns,
                   [=] { return std::uint64_t{HeartbeatPace::kIntervalsToHear} * heartbeat_ms * kNsPerMs; });
  }

  std::uint32_t told_us() const noexcept { return delay_us_.told(); }
  // By a shard, in milliseconds of its clock, of which the first may be over at once. At least two, which the least PTO
  // covers: where tasks take about a millisecond, none costs a frame of its own.
  std::uint32_t kept_ms() const noexcept { return in_ms(delay_us_.outermost()); }

  // What both come to, once that many peers have been there for a while.
  static constexpr std::uint32_t after(std::size_t peers, std::size_t shards, std::uint32_t usual_us) noexcept {
    return peers > kPeersPerShardMax * shards ? std::max(kCrowdUs, usual_us) : usual_us;
  }
  static constexpr std::uint32_t in_ms(std::uint32_t us) noexcept { return std::max(2U, (us + 999) / 1'000); }

 private:
  std::uint32_t usual_us_;
  LatelyTold<std::greater<>> delay_us_;
};

}  // namespace mcplane::control
