// Two shards on two threads, each on a CPU of its own and with a generator of its own inline, to see what hand-over
// between cores costs. A side's clients and workers belong to its shard; their frames enter through the side's own NIC
// or through the other's, as a NIC that cannot steer delivers them. What is timed is the loops that had work.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "support/ring_nic.h"
#include "support/shard_rig.h"

namespace mcplane::perf {

// Cycles for one line to go to the other CPU and come back: virtual CPUs may be threads of one core or lie in different
// cache complexes, from one second to the next, and hand-over costs accordingly.
std::uint64_t round_trip_cycles();

struct HandoffLoadOptions {
  std::uint32_t in_flight = 512;  // a side
  std::uint32_t clients = 32;     // a side
  std::uint32_t workers = 8;      // a side
  std::uint32_t handed_percent = 0;
  bool shared_workers = false;      // both shards route to all workers, or each to its side's
  bool frames_in_memory = false;    // received frames are in no cache, as a NIC without direct cache access leaves them
  std::size_t payload_bytes = 256;  // each way
};

class HandoffLoad {
 public:
  static constexpr std::uint32_t kSides = 2;

  explicit HandoffLoad(const HandoffLoadOptions& options);
  ~HandoffLoad();

  // Both threads, until each side's clients have `tasks` more answers.
  void run(std::uint64_t tasks);

  std::uint64_t cycles() const { return sides_[0]->cycles + sides_[1]->cycles; }  // time-stamp counter, in the loops
  std::uint64_t delivered() const { return sides_[0]->delivered + sides_[1]->delivered; }
  std::uint64_t handed_off() { return rig_.counters(0).handed_off.read() + rig_.counters(1).handed_off.read(); }
  // Takes what is in flight to its end. What does not add up then; empty when everything does.
  std::string fault();

 private:
  static constexpr std::uint32_t kBurst = 32;

  struct Lane {  // a client slot
    std::uint32_t client = 0;
    std::uint16_t slot = 0;
    std::uint32_t sequence = 0;
  };

  // Everything a thread touches, on lines of its own.
  struct alignas(2 * kCacheLineBytes) Side {
    Side(testing::BufferPool& pool) : nic(pool, PortId{}, kRingFrames), stock(pool) {}

    testing::RingNic nic;
    testing::BufferStock stock;  // the generator's
    std::unique_ptr<dataplane::CoreLoop<testing::RingNic>> loop;
    std::vector<testing::Bytes> send_frames;  // by client
    std::vector<Lane> lanes;
    std::vector<std::uint32_t> free_lanes;
    std::deque<net::Packet> routes;  // at the workers
    std::uint64_t cycles = 0, sent = 0, delivered = 0;
  };
  static constexpr std::size_t kRingFrames = 4'096;

  void add_peers(std::uint32_t index);
  void run_side(std::uint32_t index, std::uint64_t until_delivered);
  void turn(std::uint32_t index, bool sends);
  void inject(std::uint32_t index, std::span<net::Packet> packets);
  void inject_sends(std::uint32_t index);
  void inject_results(std::uint32_t index);
  void collect(Side& side);

  const HandoffLoadOptions options_;
  std::uint32_t slots_;
  testing::ShardRig rig_;  // shards and registration; its own NICs and loops stay idle
  testing::BufferPool pool_;
  std::vector<std::unique_ptr<Side>> sides_;
  // Relaxed: says only that a side has its answers; the other goes on until both have.
  std::atomic<std::uint32_t> sides_done_{0};
};

}  // namespace mcplane::perf
