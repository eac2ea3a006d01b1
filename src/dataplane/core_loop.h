// Station 1 of 7, and the whole life of a frame on one screen: poll a burst, take it through the stations, look into
// the mailbox, run timers, flush. Runs to completion on one core; the only template of the dataplane, over the NIC.
// The clock is an argument: it is read twice a loop, before the stations and before egress.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "base/check.h"
#include "dataplane/loop_sampler.h"
#include "dataplane/shard.h"
#include "dataplane/tap.h"
#include "net/nic.h"
#include "net/upcoming.h"

namespace mcplane::dataplane {

// How a core sends out of ports where it has no queue: through a ring to a core that has one. Such a core receives what
// others hand it. All ports take buffers from one pool, so any NIC may free any packet.
template <net::Nic NicQueue>
struct Relay {
  HandoffMesh* mesh = nullptr;   // one for all cores; null: each core has a queue on every port
  std::vector<ShardId> senders;  // by PortId: who sends for this core where it has no queue
  NicQueue* pool = nullptr;      // for a core without any queue: only allocate() and free() are called
};

// Frames a poll, 1 to kBurstMax. A frame leaves when the last one of its burst is done, so a core that keeps up takes
// few at once; one that finds more than that time and again takes twice as many, up to full bursts, which cost less a
// frame.
struct Burst {
  std::uint16_t full = 32, at_ease = full;
};

template <net::Nic NicQueue>
class CoreLoop {
 public:
  // nics: this core's queue of each port, by PortId, null where it has none; they outlive the loop.
  CoreLoop(Shard& shard, std::vector<NicQueue*> nics, Burst burst, Relay<NicQueue> relay = {})
      : shard_(shard),
        full_(nics.size()),
        nics_(std::move(nics)),
        relay_(std::move(relay)),
        burst_(burst),
        wanted_(burst.at_ease),
        sampler_(shard.shared, shard.mine) {
    std::ranges::copy_if(nics_, std::back_inserter(receiving_), [](NicQueue* nic) { return nic != nullptr; });
    pool_ = receiving_.empty() ? relay_.pool : receiving_.front();
    CHECK(pool_ != nullptr && (receiving_.size() == nics_.size() || relay_.mesh != nullptr));
  }

  // One turn. Returns whether it did anything. now() gives monotonic nanoseconds.
  template <class Now>
  bool run_once(Now&& now) noexcept {
    sampler_.begin();
    const std::uint64_t now_ns = now();
    if (observed() && was_busy_) shard_.counters.busy_ns.add(now_ns - shard_.now_ns);
    shard_.begin_loop(now_ns);
    refill_spares();
    sampler_.lap(Station::kOther);
    std::size_t work = 0;
    // One port a turn: what a turn can produce stays within a departure batch, whatever the number of ports.
    turn_ = turn_ + 1 < receiving_.size() ? turn_ + 1 : 0;
    const std::size_t wanted = wanted_;
    if (!receiving_.empty()) work += through_stations(receive(*receiving_[turn_], wanted));
    const bool more_to_come = work == wanted;
    adapt(more_to_come);
    work += through_stations(shard_.handoff_mesh.pop(shard_.options.id, burst()));
    work += run_commands(shard_);
    sampler_.lap(Station::kCommands);
    if (is_time_for_timers(more_to_come)) run_timers(shard_);
    run_sweep(shard_);
    sampler_.lap(Station::kTimers);
    route_waiting(shard_);
    if (!shard_.events.empty()) send_events(shard_);
    sampler_.lap(Station::kWaiting);
    send_acks(shard_);
    sampler_.lap(Station::kAcks);
    const std::uint64_t stamp_ns = now();
    egress(shard_, stamp_ns);
    sampler_.lap(Station::kEgress);
    if (relay_.mesh != nullptr) collect_relayed();
    work += flush(stamp_ns);
    sampler_.lap(Station::kTx);
    sampler_.end(work > 0);
    was_busy_ = work > 0;
    shard_.counters.loops.add();
    if (was_busy_) shard_.counters.busy_loops.add();
    shard_.shared.routes.quiescent(raw(shard_.options.id));
    return was_busy_;
  }

  // Gives every buffer the loop still holds back to its pool: after the last run_once of all cores.
  void finish() noexcept {
    pool_->free(shard_.spares.items());
    shard_.spares.clear();
    for (auto& batch : shard_.outgoing) pool_->free(batch.items());
    for (std::uint32_t i = 0; i < shard_.held.capacity(); ++i) pool_->free({&shard_.held[i].packet, 1});
    shard_.events.for_packets([this](net::Packet& packet) { pool_->free({&packet, 1}); });
    free_ring(shard_.handoff_mesh);
    if (relay_.mesh != nullptr) free_ring(*relay_.mesh);
  }

 private:
  using Station = state::Station;

  std::span<net::Packet> burst() noexcept { return {packets_.data(), burst_.full}; }

  // After a pause the queue holds what timers would ask for: that is taken in first, as far as a queue is deep.
  bool is_time_for_timers(bool more_to_come) noexcept {
    loops_behind_ = more_to_come ? loops_behind_ + 1 : 0;
    return loops_behind_ % kLoopsBehindMax == 0;
  }

  void adapt(bool more_to_come) noexcept {
    pressure_ = more_to_come ? pressure_ + 1 : 0;
    if (pressure_ == 0)
      wanted_ = std::max<std::size_t>(wanted_ / 2, burst_.at_ease);
    else if (pressure_ % kPressureHigh == 0)
      wanted_ = std::min<std::size_t>(wanted_ * 2, burst_.full);
  }

  std::size_t receive(NicQueue& nic, std::size_t wanted) noexcept {
    const std::size_t count = nic.rx_burst(burst().first(wanted));
    if constexpr (net::Peeking<NicQueue>)
      if (count > 0) nic.peek(static_cast<std::uint16_t>(count), shard_.upcoming);
    tap(shard_, burst().first(count), {.at_ns = shard_.now_ns});
    return count;
  }

  std::size_t through_stations(std::size_t count) noexcept {
    sampler_.lap(Station::kRx);
    if (count == 0) return 0;
    const auto packets = burst().first(count);
    const auto frames = std::span(frames_).first(count);
    const auto verdicts = std::span(verdicts_).first(count);
    ingress(shard_, packets, frames, verdicts);
    sampler_.lap(Station::kIngress);
    dispatch(shard_, packets, frames, verdicts);
    sampler_.note(frames, verdicts);
    settle(shard_, packets, frames, verdicts);
    shard_.upcoming.clear();
    sampler_.lap(Station::kDispatch);
    return count;
  }

  std::size_t flush(std::uint64_t stamp_ns) noexcept {
    std::size_t flushed = 0;
    for (const Share& share : shard_.shares.items()) pool_->share(share.packet, share.times);
    shard_.shares.clear();
    for (std::size_t port = 0; port < nics_.size(); ++port) {
      auto& batch = shard_.outgoing[port];
      if (nics_[port] != nullptr)
        tap(shard_, batch.items().subspan(full_[port].kept),
            {.at_ns = stamp_ns,
             .port = PortId(static_cast<std::uint8_t>(port)),
             .outgoing = true,
             .tail_of = NicQueue::tail_of});
      const std::size_t taken = nics_[port] != nullptr ? transmit(*nics_[port], batch.items()) : relay(port);
      settle_refused(port, taken);
      flushed += taken;
    }
    pool_->free(shard_.to_free.items());
    shard_.to_free.clear();
    return flushed;
  }

  // A full queue is asked again for a few microseconds: the peer behind a ring in memory takes a burst in that time,
  // and a core that waits for it lets its own senders wait.
  std::size_t transmit(NicQueue& nic, std::span<net::Packet> packets) noexcept {
    std::size_t sent = 0;
    for (std::uint32_t refused = 0; sent < packets.size() && refused < kRefusalsMax;) {
      const std::uint16_t taken = nic.tx_burst(packets.subspan(sent));
      refused = taken == 0 ? refused + 1 : 0;
      sent += taken;
    }
    shard_.counters.sent.add(sent);
    return sent;
  }

  // What a full queue does not take is offered again in the next loop: few frames, and not for long, since who does not
  // read at all would get them late and hold up others. The rest is dropped and counted.
  void settle_refused(std::size_t port, std::size_t taken) noexcept {
    auto& batch = shard_.outgoing[port];
    Full& full = full_[port];
    const auto refused = batch.items().subspan(taken);
    if (taken > 0 || full.since_ns == kTakesAll) full.since_ns = refused.empty() ? kTakesAll : shard_.now_ns;
    full.kept = shard_.now_ns - full.since_ns < kFullNsMax ? std::min(refused.size(), kKeptPerPort) : 0;
    shard_.counters.sent_dropped.add(refused.size() - full.kept);
    pool_->free(refused.subspan(full.kept));
    if (taken > 0) std::ranges::move(refused.first(full.kept), batch.items().begin());
    batch.shorten(full.kept);
  }

  std::size_t relay(std::size_t port) noexcept {
    const auto packets = shard_.outgoing[port].items();
    if (packets.empty()) return 0;
    for (net::Packet& packet : packets) packet.set_port(PortId(static_cast<std::uint8_t>(port)));
    const std::size_t taken = relay_.mesh->push(shard_.options.id, relay_.senders[port], packets);
    shard_.counters.relayed.add(taken);
    return taken;
  }

  // Frames of cores without a queue here, complete: they join what this core sends.
  void collect_relayed() noexcept {
    const auto packets = std::span(packets_).first(kRelayedPerLoop);
    const std::size_t count = relay_.mesh->pop(shard_.options.id, packets);
    for (net::Packet& packet : packets.first(count)) {
      auto& batch = shard_.outgoing[raw(packet.port())];
      batch.push(std::move(packet));
    }
  }

  void free_ring(HandoffMesh& mesh) noexcept {
    while (const std::size_t count = mesh.pop(shard_.options.id, burst())) pool_->free(burst().first(count));
  }

  // Buffers for frames that start here (control's, CANCEL, REJECT by timer), kept ready so that no station allocates.
  void refill_spares() noexcept {
    while (shard_.spares.room() >= kRefill && pool_->allocate(std::span(packets_).first(kRefill)))
      for (net::Packet& packet : std::span(packets_).first(kRefill)) shard_.spares.push(std::move(packet));
  }

  static constexpr std::size_t kRefill = 32;
  static constexpr std::uint32_t kPressureHigh = 16;  // polls
  static constexpr std::uint32_t kLoopsBehindMax = 64;
  static constexpr std::uint32_t kRefusalsMax = 128;  // in a row
  static constexpr std::uint64_t kFullNsMax = 2 * kNsPerMs;
  static constexpr std::uint64_t kTakesAll = ~std::uint64_t{0};
  static_assert(kRefill <= net::kBurstMax && kSpares % kRefill == 0);

  // A queue that did not take everything.
  struct Full {
    std::uint64_t since_ns = kTakesAll;  // it took something last
    std::size_t kept = 0;                // frames, the first of its outgoing ones
  };

  Shard& shard_;
  std::vector<Full> full_;            // by PortId
  std::vector<NicQueue*> nics_;       // by PortId
  std::vector<NicQueue*> receiving_;  // those there are
  NicQueue* pool_ = nullptr;
  Relay<NicQueue> relay_;
  Burst burst_;
  std::size_t turn_ = 0;
  std::size_t wanted_;          // frames of the next poll
  std::uint32_t pressure_ = 0;  // polls that came back full, in a row
  std::uint32_t loops_behind_ = 0;
  bool was_busy_ = false;
  LoopSampler sampler_;
  std::array<net::Packet, net::kBurstMax> packets_;
  std::array<Frame, net::kBurstMax> frames_;
  std::array<Verdict, net::kBurstMax> verdicts_;
};

}  // namespace mcplane::dataplane
