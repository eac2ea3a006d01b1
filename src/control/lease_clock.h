// The time leases are judged by, one clock a shard. It runs only while a peer could be heard: while the shard polls
// and the link is up. So neither a paused core, nor a pulled cable, nor a stall of the control thread evicts anybody.
// Fed with the shards' own clocks; the control thread's clock only finds stalls. Control thread.
#pragma once

#include <cstdint>
#include <vector>

#include "state/shared.h"

namespace mcplane::control {

class LeaseClock {
 public:
  // A longer step of a shard's clock counts as this much: the shard heard nobody in the rest of it.
  static constexpr std::uint64_t kStepMaxNs = 30 * kNsPerMs;

  explicit LeaseClock(std::size_t shards) : shards_(shards) {}

  // Once a poll.
  void tick(std::uint64_t now_ns, const state::Shared& shared, bool link_up);

  std::uint64_t read_ns(ShardId shard) const noexcept { return shards_[raw(shard)].active_ns; }
  // How often a shard, once running, did not poll for longer than kStepMaxNs.
  std::uint64_t stalls() const noexcept { return stalls_; }

 private:
  struct Shard {
    std::uint64_t loop_ns = 0;  // its clock at the last tick; 0: not running yet
    std::uint64_t active_ns = 0;
    std::uint64_t still_ns = 0;  // by the control thread's clock, since loop_ns last moved
  };

  std::uint64_t step(Shard& shard, std::uint64_t loop_ns, std::uint64_t elapsed_ns) noexcept;

  std::vector<Shard> shards_;
  std::uint64_t stalls_ = 0;
  std::uint64_t ticked_ns_ = 0;
};

}  // namespace mcplane::control
