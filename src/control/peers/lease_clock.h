// The time leases are judged by, one clock a shard and port. It runs only while a peer could be heard: while the shard
// polls and the port's link is up. So neither a paused core, nor a pulled cable, nor a stall of the control thread
// evicts anybody. Fed with the shards' own clocks; the control thread's clock only finds stalls. Control thread.
#pragma once

#include <cstdint>
#include <vector>

#include "control/peers/links.h"
#include "state/shared.h"

namespace mcplane::control {

class LeaseClock {
 public:
  // A longer step of a shard's clock counts as this much: the shard heard nobody in the rest of it. The same whoever
  // shares its CPU: a peer's heartbeats wait in the queue while the shard waits for its turn, and are no silence.
  static constexpr std::uint64_t kStepMaxNs = 30 * kNsPerMs;
  // A shard that stands still for longer is stalled. Shards that share a CPU wait for the scheduler: p99 is some 20 ms
  // for four of them, and busy neighbours make it a multiple.
  static constexpr std::uint64_t kStallNs = 30 * kNsPerMs, kSharedCpuStallNs = 500 * kNsPerMs;

  LeaseClock(std::size_t shards, std::size_t ports, bool cores_share_cpu)
      : shards_(shards),
        active_ns_(shards * ports),
        ports_(ports),
        stall_ns_(cores_share_cpu ? kSharedCpuStallNs : kStallNs) {}

  // Once a poll.
  void tick(std::uint64_t now_ns, const state::Shared& shared, const Links& links);

  std::uint64_t read_ns(ShardId shard, PortId port) const noexcept {
    return active_ns_[raw(shard) * ports_ + raw(port)];
  }
  // How often a shard, once running, stood still for longer than the stall threshold.
  std::uint64_t stalls() const noexcept { return stalls_; }

 private:
  struct Shard {
    std::uint64_t loop_ns = 0;   // its clock at the last tick; 0: not running yet
    std::uint64_t still_ns = 0;  // by the control thread's clock, since loop_ns last moved
  };

  std::uint64_t step(Shard& shard, std::uint64_t loop_ns, std::uint64_t elapsed_ns) noexcept;

  std::vector<Shard> shards_;
  std::vector<std::uint64_t> active_ns_;  // by shard, by port
  std::size_t ports_;
  std::uint64_t stall_ns_;
  std::uint64_t stalls_ = 0;
  std::uint64_t ticked_ns_ = 0;
};

}  // namespace mcplane::control
