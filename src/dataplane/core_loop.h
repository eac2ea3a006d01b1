// Station 1 of 7, and the whole life of a frame on one screen: poll a burst, take it through the stations, look into
// the mailbox, run timers, flush. Runs to completion on one core; the only template of the dataplane, over the NIC.
// The clock is an argument: it is read twice a loop, before the stations and before egress.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/shard.h"
#include "net/nic.h"

namespace mcplane::dataplane {

template <net::Nic NicQueue>
class CoreLoop {
 public:
  // nics: this core's queue of each port, by PortId; they outlive the loop. burst: frames a poll, 1 to kBurstMax.
  CoreLoop(Shard& shard, std::vector<NicQueue*> nics, std::uint16_t burst)
      : shard_(shard), nics_(std::move(nics)), burst_(burst) {}

  // One turn. Returns whether it did anything. now() gives monotonic nanoseconds.
  template <class Now>
  bool run_once(Now&& now) noexcept {
    shard_.begin_loop(now());
    refill_spares();
    std::size_t work = 0;
    // One port a turn: what a turn can produce stays within a departure batch, whatever the number of ports.
    turn_ = turn_ + 1 < nics_.size() ? turn_ + 1 : 0;
    work += through_stations(nics_[turn_]->rx_burst(burst()));
    work += through_stations(shard_.handoff_mesh.pop(shard_.options.id, burst()));
    work += run_commands(shard_);
    run_timers(shard_);
    run_sweep(shard_);
    route_waiting(shard_);
    egress(shard_, now());
    work += flush();
    shard_.counters.loops.add();
    if (work > 0) shard_.counters.busy_loops.add();
    shard_.shared.routes.quiescent(raw(shard_.options.id));
    return work > 0;
  }

  // Gives every buffer the loop still holds back to its NIC: after the last run_once.
  void finish() noexcept {
    nics_[0]->free(shard_.spares.items());
    shard_.spares.clear();
    for (std::uint32_t i = 0; i < shard_.held.capacity(); ++i) nics_[0]->free({&shard_.held[i].packet, 1});
    while (const std::size_t count = shard_.handoff_mesh.pop(shard_.options.id, burst()))
      nics_[0]->free(burst().first(count));
  }

 private:
  std::span<net::Packet> burst() noexcept { return {packets_.data(), burst_}; }

  std::size_t through_stations(std::size_t count) noexcept {
    if (count == 0) return 0;
    const auto packets = burst().first(count);
    const auto frames = std::span(frames_).first(count);
    const auto verdicts = std::span(verdicts_).first(count);
    ingress(shard_, packets, frames, verdicts);
    dispatch(shard_, packets, frames, verdicts);
    settle(shard_, packets, frames, verdicts);
    return count;
  }

  // What a NIC does not take is dropped and counted: a burst is never held back by a full queue.
  std::size_t flush() noexcept {
    std::size_t sent = 0;
    for (std::size_t port = 0; port < nics_.size(); ++port) {
      auto packets = shard_.outgoing[port].items();
      while (!packets.empty()) {
        const std::uint16_t taken = nics_[port]->tx_burst(packets);
        if (taken == 0) break;
        sent += taken;
        packets = packets.subspan(taken);
      }
      shard_.counters.sent_dropped.add(packets.size());
      nics_[port]->free(packets);
      shard_.outgoing[port].clear();
    }
    shard_.counters.sent.add(sent);
    nics_[0]->free(shard_.to_free.items());
    shard_.to_free.clear();
    return sent;
  }

  // Buffers for frames that start here (control's, CANCEL, REJECT by timer), kept ready so that no station allocates.
  void refill_spares() noexcept {
    while (shard_.spares.room() >= kRefill && nics_[0]->allocate(std::span(packets_).first(kRefill)))
      for (net::Packet& packet : std::span(packets_).first(kRefill)) shard_.spares.push(std::move(packet));
  }

  static constexpr std::size_t kRefill = 32;
  static_assert(kRefill <= net::kBurstMax && kSpares % kRefill == 0);

  Shard& shard_;
  std::vector<NicQueue*> nics_;
  std::uint16_t burst_;
  std::size_t turn_ = 0;
  std::array<net::Packet, net::kBurstMax> packets_;
  std::array<Frame, net::kBurstMax> frames_;
  std::array<Verdict, net::kBurstMax> verdicts_;
};

}  // namespace mcplane::dataplane
