// The broker as it runs in production, on in-memory NICs: a thread a shard, the control thread polling in real time,
// and the test's thread as the wire. What they share (rings, mailboxes, snapshots, worker lines, counters) races for
// real.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "control/control_thread.h"
#include "support/ring_nic.h"
#include "support/shard_rig.h"

namespace mcplane::testing {

struct BrokerOptions {
  std::uint32_t shards = 2;
  std::uint32_t queues = 2;  // NIC queues; shards from that number on relay
};

class BrokerThreads {
 public:
  static constexpr std::uint32_t kBuffers = 8'192, kRingFrames = 1'024;
  static constexpr std::uint16_t kClientSlots = 64;

  explicit BrokerThreads(const BrokerOptions& options);
  ~BrokerThreads() { stop(); }
  BrokerThreads(const BrokerThreads&) = delete;
  BrokerThreads& operator=(const BrokerThreads&) = delete;

  // Ends all threads; what they sent can still be taken from the NICs.
  void stop();
  // What does not add up after stop(). Takes back every buffer but those the wire holds.
  std::string check_balance(std::uint64_t frames_injected, std::uint64_t frames_taken);
  // Each frame counts once, however often it was handed over. While frames move it is a few frames off.
  std::uint64_t received_from_wire();

  // The test's thread. What control says of itself, as of a moment ago; asked for with each look.
  void look_at_reports();
  std::size_t published_workers() const noexcept { return published_workers_.load(std::memory_order_relaxed); }
  std::size_t live_sessions() const noexcept { return live_sessions_.load(std::memory_order_relaxed); }

  std::uint64_t route_generation() const noexcept { return route_generation_.load(std::memory_order_relaxed); }

  BufferPool& pool() noexcept { return pool_; }
  RingNic& nic(std::uint32_t queue) noexcept { return *nics_[queue]; }
  std::uint32_t queues() const noexcept { return options_.queues; }
  state::ShardCounters& counters(std::uint32_t shard) noexcept { return rig_.counters(shard); }

  static std::uint64_t now_ns() noexcept;

 private:
  using Loop = dataplane::CoreLoop<RingNic>;

  void run_shard(Loop& loop) noexcept;

  const BrokerOptions options_;
  BufferPool pool_;
  ShardRig rig_;  // its shards; its own NICs and loops stay idle
  dataplane::HandoffMesh relay_mesh_;
  std::vector<std::unique_ptr<RingNic>> nics_;  // by shard; without a queue only a stock of buffers
  std::vector<std::unique_ptr<Loop>> loops_;
  control::Control control_;
  // Relaxed, all: a recent value will do; join() orders what is read after the end.
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> published_workers_{0}, live_sessions_{0};
  std::atomic<std::uint64_t> route_generation_{0};
  std::unique_ptr<control::ControlThread> control_thread_;
  std::vector<std::thread> threads_;
};

}  // namespace mcplane::testing
