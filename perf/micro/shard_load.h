// An inline generator around one shard on the in-memory NIC: clients and workers that keep a set number of tasks in
// flight, so that what is timed is the shard's own work and nothing else. One thread. Frames are made and turned
// round outside the timed sections; every answer is counted.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "support/shard_rig.h"

namespace mcplane::perf {

struct ShardLoadOptions {
  std::uint32_t in_flight = 1'024;
  std::uint32_t clients = 64;
  std::uint32_t workers = 64;
  std::size_t payload_bytes = 256;  // each way
};

class ShardLoad {
 public:
  explicit ShardLoad(const ShardLoadOptions& options);

  // One burst of SENDs through the shard, and one of RESULTs once in_flight ROUTEs are out.
  // Adds to the cycles below. Returns the tasks that completed.
  std::uint32_t turn();

  std::uint64_t send_cycles = 0, result_cycles = 0;  // time-stamp counter, in the loop only
  std::uint64_t sent = 0, delivered = 0;
  // What does not add up between generator and shard; empty when nothing.
  std::string fault();

 private:
  static constexpr std::uint32_t kBurst = 32;

  struct Lane {  // a client slot
    std::uint32_t client = 0;
    std::uint16_t slot = 0;
    std::uint32_t sequence = 0;
  };

  // One loop of the shard each. Functions of their own, since perf/instructions counts what happens inside them.
  [[gnu::noinline]] void timed_sends();
  [[gnu::noinline]] void timed_results();
  void inject_sends();
  void inject_results();
  void collect();
  void take_in(std::span<net::Packet> packets);

  ShardLoadOptions options_;
  testing::ShardRig rig_;
  std::vector<testing::Bytes> send_frames_;  // by client
  std::vector<Lane> lanes_;
  std::vector<std::uint32_t> free_lanes_;
  std::vector<std::uint32_t> lane_of_slot_;  // by client * slots + slot
  std::uint32_t slots_ = 0;                  // a client
  std::deque<net::Packet> routes_;           // at the workers
};

}  // namespace mcplane::perf
