// One NIC queue of ours: what arrives for thousands of endpoints, and what leaves. Endpoint i has UDP port
// kBasePort + i of our first address; the next address goes on where that has no more. What the NIC does not take at
// once is held and offered again; what cannot be held is counted. One thread.
#pragma once

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/prefetch.h"
#include "loadgen/link.h"
#include "loadgen/options.h"
#include "net/nic.h"

namespace mcplane::loadgen {

struct PortCounts {
  std::uint64_t polls = 0, busy_polls = 0;  // busy: something came in or went out
  std::uint64_t busy_ns = 0;                // from the start of a busy poll to that of the next poll
  std::uint64_t rx_dropped = 0;             // unsound, or to nobody here
  std::uint64_t tx_dropped = 0;             // the port did not take them, or no buffer was free
};

inline constexpr std::uint16_t kBasePort = 5'000;
static_assert(kBasePort + kEndpointsPerAddress <= 65'536);

// A datagram to one of our endpoints.
struct Arrival {
  std::size_t endpoint = 0;
  std::span<const std::byte> datagram;
  wire::Endpoint from;
};

template <net::Nic NicQueue>
class PortQueue {
 public:
  // Frames held for a full transmit ring, at most.
  static constexpr std::size_t kHeldMax = 8'192;
  static constexpr std::size_t kFillAhead = 4;  // frames

  PortQueue(NicQueue& nic, Link& link, std::size_t endpoints) : nic_(nic), link_(link), endpoints_(endpoints) {
    held_.reserve(2 * kHeldMax);
  }
  ~PortQueue() {
    nic_.free(std::span(stock_).last(stock_left_));
    nic_.free(std::span(held_).subspan(held_first_));
  }
  PortQueue(const PortQueue&) = delete;
  PortQueue& operator=(const PortQueue&) = delete;

  NicQueue& nic() noexcept { return nic_; }
  const Link& link() const noexcept { return link_; }
  PortCounts& counts() noexcept { return counts_; }
  const PortCounts& counts() const noexcept { return counts_; }
  std::size_t empty_packets() const noexcept { return stock_left_; }

  // A burst, which is the caller's.
  std::span<net::Packet> receive() noexcept { return std::span(received_).first(nic_.rx_burst(received_)); }
  bool received_all(std::size_t packets) const noexcept { return packets == received_.size(); }

  // Whether it is a datagram for an endpoint; counted when it is nothing that concerns us. `trusted`: its UDP checksum
  // is not looked at. Answers what asks for our host.
  bool parse(const net::Packet& packet, bool trusted, Arrival& arrival) {
    const auto frame = packet.bytes();
    const bool good = trusted || packet.checksum_good();
    if (!packet.chained() && !packet.checksum_bad()) {
      Inbound inbound;
      if (link_.read(frame, good, inbound)) {
        arrival.from.ip = link_.broker();
        if (take(frame, inbound, arrival)) return true;
        ++counts_.rx_dropped;
        return false;
      }
      const wire::Datagram parsed = wire::parse_frame(frame, link_.local(), good);
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

  void write_headers(std::byte* frame, std::size_t endpoint, std::uint16_t to_port, std::uint16_t datagram_bytes,
                     std::uint16_t datagram_sum) const noexcept {
    link_.write_headers(frame, endpoint / kEndpointsPerAddress,
                        static_cast<std::uint16_t>(kBasePort + endpoint % kEndpointsPerAddress), to_port,
                        datagram_bytes, datagram_sum);
  }

  // Puts the packet at the end of what goes out; null, and counted and freed, when nothing more can be held.
  net::Packet* hold(net::Packet packet) {
    if (held() < kHeldMax) return &held_.emplace_back(std::move(packet));
    ++counts_.tx_dropped;
    nic_.free({&packet, 1});
    return nullptr;
  }
  // An empty packet of that length at the end of what goes out; null, and counted, when there is none.
  net::Packet* begin_frame(std::size_t bytes) {
    if (stock_left_ == 0 && nic_.allocate(stock_)) stock_left_ = stock_.size();
    if (stock_left_ == 0 || held() == kHeldMax) {
      ++counts_.tx_dropped;
      return nullptr;
    }
    if (stock_left_ > kFillAhead) prefetch_to_fill(stock_[stock_.size() - stock_left_ + kFillAhead], bytes);
    net::Packet& packet = held_.emplace_back(std::move(stock_[stock_.size() - stock_left_--]));
    packet.set_length(static_cast<std::uint16_t>(bytes));
    return &packet;
  }
  // Questions and announcements that are due.
  void send_neighbours_due(std::uint64_t now_ns) {
    while (now_ns >= link_.next_due_ns()) send_neighbour(link_.write_due(now_ns, frame_));
  }

  std::size_t held() const noexcept { return held_.size() - held_first_; }
  // Offers what is held to the NIC; returns how many it took.
  std::size_t flush() {
    const std::size_t before = held_first_;
    while (held_first_ < held_.size()) {
      const std::uint16_t taken = nic_.tx_burst(std::span(held_).subspan(held_first_));
      if (taken == 0) break;
      held_first_ += taken;
    }
    const std::size_t taken = held_first_ - before;
    if (held_first_ < held_.size() && held_first_ < kHeldMax) return taken;
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(held_first_));
    held_first_ = 0;
    return taken;
  }

 private:
  // False: no endpoint of ours has that port. The sender's address is set.
  bool take(std::span<const std::byte> frame, const Inbound& inbound, Arrival& arrival) const noexcept {
    const std::size_t place = std::size_t{inbound.port} - kBasePort;
    arrival.endpoint = inbound.address * kEndpointsPerAddress + place;
    arrival.datagram = frame.subspan(inbound.offset, inbound.bytes);
    arrival.from.port = inbound.source_port;
    return place < kEndpointsPerAddress && arrival.endpoint < endpoints_;
  }

  void send_neighbour(std::size_t bytes) {
    if (bytes == 0) return;
    if (net::Packet* const packet = begin_frame(bytes)) std::memcpy(packet->data(), frame_.data(), bytes);
  }

  // Lines that the peer's core has read are taken back before they are written.
  static void prefetch_to_fill(const net::Packet& packet, std::size_t bytes) noexcept {
    for (std::size_t at = 0; at < bytes; at += kCacheLineBytes) prefetch_to_write(packet.data() + at);
  }

  NicQueue& nic_;
  Link& link_;
  const std::size_t endpoints_;
  std::array<net::Packet, net::kBurstMax> received_;
  std::array<net::Packet, net::kBurstMax> stock_;  // the last stock_left_ are empty packets
  std::size_t stock_left_ = 0;
  std::vector<net::Packet> held_;  // from held_first_ on: to be sent, in order
  std::size_t held_first_ = 0;
  std::array<std::byte, Link::kFrameBytesMax> frame_{};
  PortCounts counts_;
};

}  // namespace mcplane::loadgen
