// Moves the datagrams of thousands of endpoints over one NIC queue. A poll takes a burst in, hands every datagram to
// its engine, lets those engines send, and puts everything out; the clock is read once. One thread, which never waits.
//
//   rx burst -> parse, prefetch -> on_datagram each -> on_burst_end each -> what is due -> tx
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "loadgen/client_fleet.h"
#include "loadgen/port_queue.h"
#include "wire/checksum.h"

namespace mcplane::loadgen {

template <net::Nic NicQueue, class Now>
class PortShell {
 public:
  static constexpr std::uint32_t kPollsBehindMax = 64;

  // `now`: monotonic nanoseconds.
  PortShell(NicQueue& nic, Link& link, std::size_t endpoints, Now now) : queue_(nic, link, endpoints), now_(now) {}
  ~PortShell() {
    for (Lent& lent : lent_) queue_.nic().free(lent.packets);
  }
  PortShell(const PortShell&) = delete;
  PortShell& operator=(const PortShell&) = delete;

  // For the fleet whose endpoints start at `first`, and its one outbox, which is lent packets of this shell to write
  // to.
  Transmit transmit_from(std::size_t first) {
    return [this, first, &lent = lent_.emplace_back()](std::size_t endpoint, client::Outbox& burst) {
      send_all(first + endpoint, burst, lent);
      lend(burst, lent);
    };
  }

  std::uint64_t now_ns() const noexcept { return now_(); }
  const PortCounts& counts() const noexcept { return queue_.counts(); }
  // Packets that the shell has at hand, to be filled.
  std::size_t empty_packets() const noexcept {
    std::size_t count = queue_.empty_packets();
    for (const Lent& lent : lent_) count += lent.count;
    return count;
  }

  // One look at the port; whether it found work. Fleets has what class Fleets has.
  template <class Fleets>
  bool poll(Fleets& fleets) {
    const std::uint64_t now_ns = now_();
    PortCounts& counts = queue_.counts();
    if (busy_since_ns_ != kNotBusy) counts.busy_ns += now_ns - busy_since_ns_;
    const bool full = queue_.held() > 0;
    sent_ = 0;
    const std::size_t received = receive(fleets, now_ns);
    // After a pause the port holds what timers would ask for: that is taken in first, as far as a queue is deep.
    polls_behind_ = queue_.received_all(received) ? polls_behind_ + 1 : 0;
    const bool behind = polls_behind_ % kPollsBehindMax != 0;
    // While the port is full, nothing new is begun, but timers go on.
    if (queue_.link().resolved() && !behind && (!full || now_ns >= next_time_ns_)) {
      next_time_ns_ = now_ns + kTickNs;
      fleets.on_time(now_ns);
    }
    queue_.send_neighbours_due(now_ns);
    sent_ += queue_.flush();
    const bool busy = received + sent_ > 0;
    ++counts.polls;
    counts.busy_polls += busy ? 1 : 0;
    busy_since_ns_ = busy ? now_ns : kNotBusy;
    return busy;
  }

 private:
  static constexpr std::uint64_t kNotBusy = ~std::uint64_t{0};
  using Queue = PortQueue<NicQueue>;
  static constexpr std::size_t kPart = 16;

  // Empty packets whose places an outbox has, in the same order.
  struct Lent {
    std::array<net::Packet, client::Outbox::kPlaces> packets;  // a ring: count of them from first on
    std::size_t first = 0, count = 0;
  };

  template <class Fleets>
  std::size_t receive(Fleets& fleets, std::uint64_t now_ns) {
    const auto packets = queue_.receive();
    std::ranges::for_each(part_of(packets, 0), prefetch_frame);
    for (std::size_t done = 0; done < packets.size(); done += kPart)
      take_part(fleets, part_of(packets, done), part_of(packets, done + kPart), now_ns);
    queue_.nic().free(packets);
    return packets.size();
  }

  // The kPart packets from `first` on: what is prefetched must still be there when its turn comes.
  static std::span<net::Packet> part_of(std::span<net::Packet> packets, std::size_t first) noexcept {
    const auto rest = packets.subspan(std::min(first, packets.size()));
    return rest.first(std::min(kPart, rest.size()));
  }

  // Whole: every byte is read, and behind a ring in memory another core wrote it last.
  static void prefetch_frame(const net::Packet& packet) noexcept { prefetch_to_read(packet.bytes()); }

  // Those after `packets` are fetched meanwhile, one with each: a core waits for few lines at a time.
  template <class Fleets>
  void take_part(Fleets& fleets, std::span<const net::Packet> packets, std::span<const net::Packet> after,
                 std::uint64_t now_ns) {
    std::size_t count = 0;
    for (const net::Packet& packet : packets) {
      if (!queue_.parse(packet, false, arrivals_[count])) continue;
      fleets.prefetch(arrivals_[count++].endpoint);
    }
    const auto arrivals = std::span(arrivals_).first(count);
    for (const Arrival& arrival : arrivals) fleets.prefetch(arrival.endpoint, arrival.datagram);
    std::size_t fetched = 0;
    for (const Arrival& arrival : arrivals) {
      if (fetched < after.size()) prefetch_frame(after[fetched++]);
      fleets.on_datagram(arrival.endpoint, arrival.datagram, arrival.from, now_ns);
    }
    std::ranges::for_each(after.subspan(fetched), prefetch_frame);
    for (const Arrival& arrival : arrivals) fleets.on_burst_end(arrival.endpoint, now_ns);
  }

  void send_all(std::size_t endpoint, client::Outbox& burst, Lent& lent) {
    for (const auto& entry : burst.entries()) {
      const net::Packet* const packet = lent.count > 0 ? take_lent(entry, lent) : copy_in(entry);
      if (packet == nullptr) continue;
      queue_.write_headers(packet->data(), endpoint, entry.to.port, static_cast<std::uint16_t>(entry.datagram.size()),
                           entry.sum != 0 ? entry.sum : wire::sum_bytes(entry.datagram));
    }
    burst.clear();
    if (queue_.held() >= net::kBurstMax) sent_ += queue_.flush();
  }

  // The packet that holds the entry, at the end of what goes out; null when nothing more can be held.
  net::Packet* take_lent(const client::Outbox::Entry& entry, Lent& lent) {
    net::Packet& packet = lent.packets[lent.first++ % lent.packets.size()];
    --lent.count;
    packet.set_length(static_cast<std::uint16_t>(queue_.link().header_bytes() + entry.datagram.size()));
    return queue_.hold(packet.take());
  }

  net::Packet* copy_in(const client::Outbox::Entry& entry) {
    const std::size_t headers = queue_.link().header_bytes();
    net::Packet* const packet = queue_.begin_frame(headers + entry.datagram.size());
    if (packet != nullptr) std::memcpy(packet->data() + headers, entry.datagram.data(), entry.datagram.size());
    return packet;
  }

  // Half of the places at a time. Without packets it writes to itself, and what it sends then is copied, or dropped.
  void lend(client::Outbox& burst, Lent& lent) {
    constexpr std::size_t kHalf = client::Outbox::kPlaces / 2;
    if (lent.count > kHalf) return;
    const auto more = std::span(lent.packets).subspan((lent.first + lent.count) % client::Outbox::kPlaces, kHalf);
    if (!queue_.nic().allocate(more)) return;
    const Link& link = queue_.link();
    for (const net::Packet& packet : more) burst.lend({packet.data() + link.header_bytes(), link.datagram_bytes_max()});
    lent.count += more.size();
  }

  Queue queue_;
  Now now_;
  std::array<Arrival, kPart> arrivals_{};
  std::deque<Lent> lent_;  // one an outbox
  std::size_t sent_ = 0;   // by this poll
  std::uint32_t polls_behind_ = 0;
  std::uint64_t next_time_ns_ = 0;
  std::uint64_t busy_since_ns_ = kNotBusy;
};

}  // namespace mcplane::loadgen
