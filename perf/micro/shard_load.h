// An inline generator around one shard on the in-memory NIC: clients and workers that keep a set number of tasks in
// flight, so that what is timed is the shard's own work and nothing else. One thread. Frames are made outside the timed
// sections; every answer is held against the task it belongs to.
//
// The generator is to disturb the caches no more than a NIC would: of a ROUTE it keeps 32 bytes, frames are copies of
// one SEND and one RESULT, and few buffers go round. What the shard finds cold is its own: client slots are used in
// turn, and tasks end in random order.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "generated_frames.h"
#include "support/shard_rig.h"

namespace mcplane::perf {

struct ShardLoadOptions {
  std::uint32_t in_flight = 1'024;
  std::uint32_t clients = 64;
  std::uint32_t workers = 64;
  std::size_t payload_bytes = 256;  // each way
  bool traces = false;              // kept of each task, and none sampled
};

class ShardLoad {
 public:
  static constexpr std::uint32_t kBurst = 32;

  // Comes back with in_flight tasks at the workers.
  explicit ShardLoad(const ShardLoadOptions& options);

  // One burst of SENDs through the shard, and one of RESULTs: one loop each. Adds to the cycles below.
  void turn();
  void send();
  void answer();
  // From now on the core measures one loop in 61 by station.
  const state::PerfCounters& measure_stations();

  std::uint64_t send_cycles = 0, result_cycles = 0;  // time-stamp counter, in the loop only
  std::uint64_t sent = 0, delivered = 0;
  // What does not add up between generator and shard; empty when nothing.
  std::string fault();

 private:
  struct Lane {  // a client slot
    std::uint32_t client = 0;
    std::uint32_t sequence = 0;
    std::uint16_t slot = 0;
    bool busy = false;
  };

  void add_peers();
  // One loop of the shard each. Functions of their own, since perf/instructions counts what happens inside them.
  [[gnu::noinline]] void timed_sends();
  [[gnu::noinline]] void timed_results();
  void collect();
  void take_in(const net::Packet& packet);
  void take_answer(const wire::Header& deliver);
  // The tasks that end next, in random order.
  void shuffle_running();

  const ShardLoadOptions options_;
  const std::uint32_t slots_;  // a client
  testing::ShardRig rig_;
  Random random_{1};
  std::vector<ClientAddress> clients_;
  testing::Bytes send_frame_, result_frame_;
  std::vector<Lane> lanes_;               // by client * slots_ + slot
  std::deque<std::uint32_t> free_lanes_;  // longest free first
  std::vector<RunningTask> arrived_, running_;
  std::uint64_t wrong_answers_ = 0;
};

}  // namespace mcplane::perf
