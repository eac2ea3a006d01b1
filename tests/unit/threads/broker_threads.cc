// See broker_threads.h.
#include "broker_threads.h"

#include <sched.h>

#include <chrono>

#include "control/reports/report.h"

namespace mcplane::testing {
namespace {

RigOptions rig_options(const BrokerOptions& options) {
  RigOptions rig;
  rig.shards = options.shards;
  rig.buffers = 1;
  rig.handoff_frames = BrokerThreads::kRingFrames;
  rig.shard.start_ns = BrokerThreads::now_ns();
  return rig;
}

// Heartbeats are slow: a machine that stands still for a second must not evict anyone.
control::ControlOptions control_options() {
  control::ControlOptions options;
  options.base_port = kOurPort;
  options.heartbeat_interval_ms = options.client_heartbeat_interval_ms = 20'000;
  options.max_sessions = ShardRig::kSessions;
  options.max_clients = 16;
  options.client_slots = BrokerThreads::kClientSlots;
  return options;
}

}  // namespace

BrokerThreads::BrokerThreads(const BrokerOptions& options)
    : options_(options),
      pool_(kBuffers),
      rig_(rig_options(options)),
      relay_mesh_(options.shards, kRingFrames),
      control_(rig_.shared, control_options(), {our_addresses()}, Random(11)) {
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    nics_.push_back(std::make_unique<RingNic>(pool_, PortId{}, kRingFrames));
    dataplane::Relay<RingNic> relay;
    if (options.queues < options.shards)
      relay = {.mesh = &relay_mesh_,
               .senders = {ShardId(static_cast<std::uint8_t>(i % options.queues))},
               .pool = nics_[i].get()};
    RingNic* const queue = i < options.queues ? nics_[i].get() : nullptr;
    loops_.push_back(std::make_unique<Loop>(rig_.shard(i), std::vector{queue}, dataplane::Burst{}, relay));
  }
  for (auto& loop : loops_) threads_.emplace_back([this, &loop] { run_shard(*loop); });
  control_thread_ = std::make_unique<control::ControlThread>(control_);
}

std::uint64_t BrokerThreads::now_ns() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

void BrokerThreads::run_shard(Loop& loop) noexcept {
  while (!stop_.load(std::memory_order_relaxed))
    if (!loop.run_once(now_ns)) sched_yield();
}

void BrokerThreads::look_at_reports() {
  control_.post([this] {
    published_workers_.store(control_.published_workers(), std::memory_order_relaxed);
    live_sessions_.store(control_.registry().live().size(), std::memory_order_relaxed);
    route_generation_.store(control_.shared().routes.read()->generation, std::memory_order_relaxed);
    CHECK(!control::info_json(control_).empty() && !control::nodes_json(control_).empty());
  });
}

void BrokerThreads::stop() {
  control_thread_.reset();
  stop_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (auto& loop : loops_) loop->finish();
  loops_.clear();
}

std::uint64_t BrokerThreads::received_from_wire() {
  std::uint64_t received = 0, handed_off = 0;
  for (std::uint32_t i = 0; i < options_.shards; ++i) received += rig_.counters(i).received.read();
  for (std::uint32_t i = 0; i < options_.shards; ++i) handed_off += rig_.counters(i).handed_off.read();
  return received - handed_off;
}

std::string BrokerThreads::check_balance(std::uint64_t frames_injected, std::uint64_t frames_taken) {
  for (auto& nic : nics_) nic->drain();
  std::string wrong = rig_.check_counters();
  std::uint64_t sent = 0, lost = 0, held = 0;
  for (std::uint32_t i = 0; i < options_.shards; ++i) {
    const state::ShardCounters& c = rig_.counters(i);
    sent += c.sent.read();
    lost += c.sent_dropped.read() + c.no_buffer.read();
    for (const DropReason reason : {DropReason::kHandoffFull, DropReason::kMailboxFull, DropReason::kBadUdpChecksum})
      lost += c.dropped[static_cast<std::size_t>(reason)].read();
  }
  for (std::uint32_t i = 0; i < ShardRig::kWorkers; ++i) held += rig_.shared.workers[WorkerId{i}].outstanding();
  const auto expect = [&wrong](const char* what, std::uint64_t got, std::uint64_t want) {
    if (got != want) wrong += std::string(what) + ": " + std::to_string(got) + " but " + std::to_string(want) + "\n";
  };
  expect("received from the wire, and injected", received_from_wire(), frames_injected);
  expect("sent, and seen on the wire", sent, frames_taken);
  expect("frames lost for want of room, or damaged", lost, 0);
  expect("worker slots still taken", held, 0);
  expect("buffers free, and all buffers", pool_.free_count(), pool_.total());
  return wrong;
}

}  // namespace mcplane::testing
