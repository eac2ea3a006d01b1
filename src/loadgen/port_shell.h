// Moves the datagrams of thousands of endpoints over one NIC queue: endpoint i has UDP port kBasePort + i of our first
// address; the next address goes on where that has no more. A poll takes a burst in, hands every datagram to its
// engine, lets those engines send, and puts everything out; the clock is read once. What the NIC does not take at once
// is held and offered again; what cannot be held is counted. One thread, which never waits.
//
//   rx burst -> parse, prefetch -> on_datagram each -> on_burst_end each -> what is due -> tx
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "base/prefetch.h"
#include "loadgen/client_fleet.h"
#include "loadgen/link.h"
#include "net/nic.h"
#include "wire/checksum.h"

namespace mcplane::loadgen {

struct PortCounts {
  std::uint64_t polls = 0, busy_polls = 0;  // busy: something came in or went out
  std::uint64_t busy_ns = 0;                // from the start of a busy poll to that of the next poll
  std::uint64_t rx_dropped = 0;             // unsound, or to nobody here
  std::uint64_t tx_dropped = 0;             // the port did not take them, or no buffer was free
};

inline constexpr std::uint16_t kBasePort = 5'000;
static_assert(kBasePort + kEndpointsPerAddress <= 65'536);

template <net::Nic NicQueue, class Now>
class PortShell {
 public:
  // Frames held for a full transmit ring, at most.
  static constexpr std::size_t kHeldMax = 8'192;
  static constexpr std::size_t kPart = 16;
  static constexpr std::uint32_t kPollsBehindMax = 64;
  static constexpr std::size_t kFillAhead = 4;  // frames

  // `now`: monotonic nanoseconds.
  PortShell(NicQueue& nic, Link& link, std::size_t endpoints, Now now)
      : nic_(nic), link_(link), endpoints_(endpoints), now_(now) {
    held_.reserve(2 * kHeldMax);
  }
  ~PortShell() {
    for (Lent& lent : lent_) nic_.free(lent.packets);
    nic_.free(std::span(stock_).last(stock_left_));
    nic_.free(std::span(held_).subspan(held_first_));
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
  const PortCounts& counts() const noexcept { return counts_; }
  // Packets that the shell has at hand, to be filled.
  std::size_t empty_packets() const noexcept {
    std::size_t count = stock_left_;
    for (const Lent& lent : lent_) count += lent.count;
    return count;
  }

  // One look at the port; whether it found work. Fleets has what class Fleets has.
  template <class Fleets>
  bool poll(Fleets& fleets) {
    const std::uint64_t now_ns = now_();
    if (busy_since_ns_ != kNotBusy) counts_.busy_ns += now_ns - busy_since_ns_;
    const bool full = !held_.empty();
    sent_ = 0;
    const std::size_t received = receive(fleets, now_ns);
    // After a pause the port holds what timers would ask for: that is taken in first, as far as a queue is deep.
    polls_behind_ = received == received_.size() ? polls_behind_ + 1 : 0;
    const bool behind = polls_behind_ % kPollsBehindMax != 0;
    // While the port is full, nothing new is begun, but timers go on.
    if (link_.resolved() && !behind && (!full || now_ns >= next_time_ns_)) {
      next_time_ns_ = now_ns + kTickNs;
      fleets.on_time(now_ns);
    }
    while (now_ns >= link_.next_due_ns()) send_neighbour(link_.write_due(now_ns, frame_));
    flush();
    const bool busy = received + sent_ > 0;
    ++counts_.polls;
    counts_.busy_polls += busy ? 1 : 0;
    busy_since_ns_ = busy ? now_ns : kNotBusy;
    return busy;
  }

 private:
  static constexpr std::uint64_t kNotBusy = ~std::uint64_t{0};

  // Empty packets whose places an outbox has, in the same order.
  struct Lent {
    std::array<net::Packet, client::Outbox::kPlaces> packets;  // a ring: count of them from first on
    std::size_t first = 0, count = 0;
  };

  // A datagram to one of our endpoints.
  struct Arrival {
    std::size_t endpoint = 0;
    std::span<const std::byte> datagram;
    wire::Endpoint from;
  };

  template <class Fleets>
  std::size_t receive(Fleets& fleets, std::uint64_t now_ns) {
    const auto packets = std::span(received_).first(nic_.rx_burst(received_));
    // In parts: what is prefetched must still be there when its turn comes.
    const auto part = [packets](std::size_t first) {
      const auto rest = packets.subspan(std::min(first, packets.size()));
      return rest.first(std::min(kPart, rest.size()));
    };
    prefetch_frames(part(0));
    for (std::size_t done = 0; done < packets.size(); done += kPart) {
      prefetch_frames(part(done + kPart));
      take_part(fleets, part(done), now_ns);
    }
    nic_.free(packets);
    return packets.size();
  }

  // Whole: every byte is read, and behind a ring in memory another core wrote it last.
  static void prefetch_frames(std::span<const net::Packet> packets) noexcept {
    for (const net::Packet& packet : packets)
      for (std::size_t at = 0; at < packet.length(); at += kCacheLineBytes) prefetch_to_read(packet.data() + at);
  }

  template <class Fleets>
  void take_part(Fleets& fleets, std::span<const net::Packet> packets, std::uint64_t now_ns) {
    std::size_t count = 0;
    for (const net::Packet& packet : packets) {
      if (!parse(packet, arrivals_[count])) continue;
      fleets.prefetch(arrivals_[count++].endpoint);
    }
    const auto arrivals = std::span(arrivals_).first(count);
    for (const Arrival& arrival : arrivals) fleets.prefetch(arrival.endpoint, arrival.datagram);
    for (const Arrival& arrival : arrivals)
      fleets.on_datagram(arrival.endpoint, arrival.datagram, arrival.from, now_ns);
    for (const Arrival& arrival : arrivals) fleets.on_burst_end(arrival.endpoint, now_ns);
  }

  // Whether it is a datagram for an endpoint. Answers what asks for our host.
  bool parse(const net::Packet& packet, Arrival& arrival) {
    const auto frame = packet.bytes();
    if (!packet.chained() && !packet.checksum_bad()) {
      Inbound inbound;
      if (link_.read(frame, packet.checksum_good(), inbound)) {
        arrival.from.ip = link_.broker();
        if (take(frame, inbound, arrival)) return true;
        ++counts_.rx_dropped;
        return false;
      }
      const wire::Datagram parsed = wire::parse_frame(frame, link_.local(), packet.checksum_good());
      if (parsed.frame_class == wire::FrameClass::kUdp) {
        inbound = {link_.index_of(parsed.destination), parsed.destination_port, parsed.source.port,
                   parsed.payload_offset, parsed.payload_length};
        arrival.from.ip = parsed.source.ip;
        if (take(frame, inbound, arrival)) return true;
      }
      if (parsed.frame_class == wire::FrameClass::kControl) {
        send_neighbour(link_.on_frame(frame, frame_));
        return false;
      }
    }
    ++counts_.rx_dropped;
    return false;
  }

  // False: no endpoint of ours has that port. The sender's address is set.
  bool take(std::span<const std::byte> frame, const Inbound& inbound, Arrival& arrival) const noexcept {
    const std::size_t place = std::size_t{inbound.port} - kBasePort;
    arrival.endpoint = inbound.address * kEndpointsPerAddress + place;
    arrival.datagram = frame.subspan(inbound.offset, inbound.bytes);
    arrival.from.port = inbound.source_port;
    return place < kEndpointsPerAddress && arrival.endpoint < endpoints_;
  }

  void send_all(std::size_t endpoint, client::Outbox& burst, Lent& lent) {
    const std::size_t address = endpoint / kEndpointsPerAddress;
    const auto source_port = static_cast<std::uint16_t>(kBasePort + endpoint % kEndpointsPerAddress);
    for (const auto& entry : burst.entries()) {
      const net::Packet* const packet = lent.count > 0 ? take_lent(entry, lent) : copy_in(entry);
      if (packet == nullptr) continue;
      link_.write_headers(packet->data(), address, source_port, entry.to.port,
                          static_cast<std::uint16_t>(entry.datagram.size()),
                          entry.sum != 0 ? entry.sum : wire::sum_bytes(entry.datagram));
    }
    burst.clear();
    if (held_.size() - held_first_ >= net::kBurstMax) flush();
  }

  // The packet that holds the entry, at the end of what goes out; null, and counted, when nothing more can be held.
  net::Packet* take_lent(const client::Outbox::Entry& entry, Lent& lent) {
    net::Packet& packet = lent.packets[lent.first++ % lent.packets.size()];
    --lent.count;
    net::Packet taken = packet.take();
    if (held_.size() - held_first_ == kHeldMax) {
      ++counts_.tx_dropped;
      nic_.free({&taken, 1});
      return nullptr;
    }
    taken.set_length(static_cast<std::uint16_t>(link_.header_bytes() + entry.datagram.size()));
    return &held_.emplace_back(std::move(taken));
  }

  net::Packet* copy_in(const client::Outbox::Entry& entry) {
    const std::size_t headers = link_.header_bytes();
    net::Packet* const packet = begin_frame(headers + entry.datagram.size());
    if (packet != nullptr) std::memcpy(packet->data() + headers, entry.datagram.data(), entry.datagram.size());
    return packet;
  }

  // Half of the places at a time. Without packets it writes to itself, and what it sends then is copied, or dropped.
  void lend(client::Outbox& burst, Lent& lent) {
    constexpr std::size_t kHalf = client::Outbox::kPlaces / 2;
    if (lent.count > kHalf) return;
    const auto more = std::span(lent.packets).subspan((lent.first + lent.count) % client::Outbox::kPlaces, kHalf);
    if (!nic_.allocate(more)) return;
    for (const net::Packet& packet : more)
      burst.lend({packet.data() + link_.header_bytes(), link_.datagram_bytes_max()});
    lent.count += more.size();
  }

  void send_neighbour(std::size_t bytes) {
    if (bytes == 0) return;
    if (net::Packet* const packet = begin_frame(bytes)) std::memcpy(packet->data(), frame_.data(), bytes);
  }

  // Lines that the peer's core has read are taken back before they are written.
  static void prefetch_to_fill(const net::Packet& packet, std::size_t bytes) noexcept {
    for (std::size_t at = 0; at < bytes; at += kCacheLineBytes) prefetch_to_write(packet.data() + at);
  }

  // An empty packet of that length at the end of what goes out; null, and counted, when there is none.
  net::Packet* begin_frame(std::size_t bytes) {
    if (stock_left_ == 0 && nic_.allocate(stock_)) stock_left_ = stock_.size();
    if (stock_left_ == 0 || held_.size() - held_first_ == kHeldMax) {
      ++counts_.tx_dropped;
      return nullptr;
    }
    if (stock_left_ > kFillAhead) prefetch_to_fill(stock_[stock_.size() - stock_left_ + kFillAhead], bytes);
    net::Packet& packet = held_.emplace_back(std::move(stock_[stock_.size() - stock_left_--]));
    packet.set_length(static_cast<std::uint16_t>(bytes));
    return &packet;
  }

  void flush() {
    while (held_first_ < held_.size()) {
      const std::uint16_t taken = nic_.tx_burst(std::span(held_).subspan(held_first_));
      if (taken == 0) break;
      held_first_ += taken;
      sent_ += taken;
    }
    if (held_first_ < held_.size() && held_first_ < kHeldMax) return;
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(held_first_));
    held_first_ = 0;
  }

  NicQueue& nic_;
  Link& link_;
  const std::size_t endpoints_;
  Now now_;
  std::array<net::Packet, net::kBurstMax> received_;
  std::array<Arrival, kPart> arrivals_{};
  std::deque<Lent> lent_;                          // one an outbox
  std::array<net::Packet, net::kBurstMax> stock_;  // the last stock_left_ are empty packets
  std::size_t stock_left_ = 0;
  std::vector<net::Packet> held_;  // from held_first_ on: to be sent, in order
  std::size_t held_first_ = 0;
  std::array<std::byte, Link::kFrameBytesMax> frame_{};
  std::size_t sent_ = 0;  // by this poll
  std::uint32_t polls_behind_ = 0;
  std::uint64_t next_time_ns_ = 0;
  std::uint64_t busy_since_ns_ = kNotBusy;
  PortCounts counts_;
};

}  // namespace mcplane::loadgen
