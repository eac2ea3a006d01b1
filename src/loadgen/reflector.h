// A ReflectFleet on one NIC queue: what it turns round leaves in the packet it came in, and packets whose bodies it
// does not need now are kept for what it sends next. Only the lines of a packet that change are touched. One thread,
// which never waits.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "loadgen/port_queue.h"
#include "loadgen/reflect_fleet.h"
#include "wire/checksum.h"

namespace mcplane::loadgen {

template <net::Nic NicQueue, class Now>
class Reflector {
 public:
  // A poll begins so many frames at most.
  static constexpr std::size_t kBegunPerPoll = 64;
  // Packets kept with their bodies.
  static constexpr std::size_t kBodiesMax = 1'024;
  // Parts leave so many at once, or those there are once the first has waited for so long: each burst has the two cores
  // exchange the lines of a ring in memory, which costs as much as some frames. Whole tasks come in bursts by
  // themselves.
  static constexpr std::size_t kBurst = 32;
  static constexpr std::uint64_t kHoldNs = 20 * kNsPerUs;
  // So many frames before its turn the lines of a frame are asked for, and it is looked at. No more: some cores drop
  // what is asked for while they wait for some twenty lines.
  static constexpr std::size_t kLinesAhead = 3, kLooksAhead = 1;

  Reflector(NicQueue& nic, Link& link, const Options& options, std::uint64_t identity_seed, Progress& progress, Now now)
      : queue_(nic, link, options.endpoints()),
        fleet_(
            options, identity_seed, [this](std::size_t from, client::Outbox& burst) { copy_out(from, burst); },
            progress),
        now_(now) {
    bodies_.reserve(kBodiesMax);
  }
  ~Reflector() { queue_.nic().free(bodies_); }
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  ReflectFleet& fleet() noexcept { return fleet_; }
  std::uint64_t now_ns() const noexcept { return now_(); }
  const PortCounts& counts() const noexcept { return queue_.counts(); }
  std::size_t kept_packets() const noexcept { return queue_.empty_packets() + bodies_.size(); }

  // One look at the port; whether it found work.
  bool poll() {
    const std::uint64_t now_ns = now_();
    PortCounts& counts = queue_.counts();
    if (busy_since_ns_ != kNotBusy) counts.busy_ns += now_ns - busy_since_ns_;
    const bool full = queue_.held() >= kBurst;
    const std::size_t received = receive(now_ns);
    if (queue_.link().resolved()) fleet_.on_time(now_ns);
    if (!full) begin_frames(now_ns);
    queue_.send_neighbours_due(now_ns);
    const bool busy = flush(now_ns) + received > 0;
    ++counts.polls;
    counts.busy_polls += busy ? 1 : 0;
    busy_since_ns_ = busy ? now_ns : kNotBusy;
    return busy;
  }

 private:
  static constexpr std::uint64_t kNotBusy = ~std::uint64_t{0};
  using Queue = PortQueue<NicQueue>;

  std::size_t receive(std::uint64_t now_ns) {
    const auto packets = queue_.receive();
    const std::size_t count = packets.size();
    for (std::size_t i = 0; i < std::min(kLinesAhead, count); ++i) prefetch(packets[i]);
    for (std::size_t i = 0; i < std::min(kLooksAhead, count); ++i) look(packets[i], i);
    for (std::size_t i = 0; i < count; ++i) {
      if (i + kLinesAhead < count) prefetch(packets[i + kLinesAhead]);
      if (i + kLooksAhead < count) look(packets[i + kLooksAhead], i + kLooksAhead);
      if (there_[i]) turn(packets[i], arrivals_[i], now_ns);
    }
    queue_.nic().free(packets);
    return count;
  }

  // Of a packet, what is read and written.
  std::size_t touched_bytes() const noexcept { return queue_.link().header_bytes() + ReflectFleet::kChangingBytes; }

  void prefetch(const net::Packet& packet) const noexcept {
    prefetch_to_read(packet.data() - 1);  // what a driver has before a frame, virtio's 12 bytes
    for (std::size_t at = 0; at < touched_bytes(); at += kCacheLineBytes) prefetch_to_write(packet.data() + at);
  }

  void look(const net::Packet& packet, std::size_t i) {
    there_[i] = queue_.parse(packet, true, arrivals_[i]);
    if (there_[i]) fleet_.prefetch(arrivals_[i].endpoint, arrivals_[i].datagram);
  }

  void turn(net::Packet& packet, const Arrival& arrival, std::uint64_t now_ns) {
    const auto at = static_cast<std::size_t>(arrival.datagram.data() - packet.data());
    const auto datagram = packet.bytes().subspan(at, arrival.datagram.size());
    const ReflectFleet::Turned turned = fleet_.on_datagram(arrival.endpoint, datagram, arrival.from, now_ns);
    if (turned.fate == ReflectFleet::Fate::kSend) send(packet.take(), turned.out);
    if (turned.fate == ReflectFleet::Fate::kBody && bodies_.size() < kBodiesMax) bodies_.push_back(packet.take());
  }

  // What clients have to send and no frame that came was turned into.
  void begin_frames(std::uint64_t now_ns) {
    const std::size_t headers = queue_.link().header_bytes();
    for (std::size_t begun = 0; begun < kBegunPerPoll && fleet_.wants_packet(); ++begun) {
      if (bodies_.empty() && !make_body()) return;
      net::Packet packet = bodies_.back().take();
      bodies_.pop_back();
      packet.set_length(static_cast<std::uint16_t>(headers + fleet_.datagram_bytes()));
      const Outgoing out = fleet_.write_next(packet.bytes().subspan(headers), now_ns);
      send(std::move(packet), out);
    }
  }

  std::size_t flush(std::uint64_t now_ns) {
    if (queue_.held() == 0) return 0;
    if (held_since_ns_ == 0) held_since_ns_ = now_ns;
    const bool waits = fleet_.parts() > 1 && queue_.held() < kBurst && now_ns < held_since_ns_ + kHoldNs;
    if (waits) return 0;
    held_since_ns_ = 0;
    return queue_.flush();
  }

  bool make_body() {
    net::Packet packet;
    if (!queue_.nic().allocate({&packet, 1})) return false;
    std::byte* const lead = packet.data() + queue_.link().header_bytes();
    std::fill_n(lead, wire::kLeadBytes, std::byte{});
    std::ranges::copy(fleet_.body(), lead + wire::kLeadBytes);
    bodies_.push_back(std::move(packet));
    return true;
  }

  void send(net::Packet packet, const Outgoing& out) {
    packet.set_length(static_cast<std::uint16_t>(queue_.link().header_bytes() + out.bytes));
    queue_.write_headers(packet.data(), out.endpoint, out.port, out.bytes, out.sum);
    // The broker's core reads these lines next, and later writes those that were read here.
    const std::size_t bytes = fleet_.looks_at_all() ? packet.length() : touched_bytes();
    for (std::size_t at = 0; at < bytes; at += kCacheLineBytes) demote(packet.data() + at);
    queue_.hold(std::move(packet));
  }

  void copy_out(std::size_t endpoint, client::Outbox& burst) {
    const std::size_t headers = queue_.link().header_bytes();
    for (const auto& entry : burst.entries()) {
      const auto bytes = static_cast<std::uint16_t>(entry.datagram.size());
      net::Packet* const packet = queue_.begin_frame(headers + bytes);
      if (packet == nullptr) continue;
      std::ranges::copy(entry.datagram, packet->data() + headers);
      queue_.write_headers(packet->data(), endpoint, entry.to.port, bytes, wire::sum_bytes(entry.datagram));
    }
    burst.clear();
  }

  Queue queue_;
  ReflectFleet fleet_;
  Now now_;
  std::array<Arrival, net::kBurstMax> arrivals_{};
  std::array<bool, net::kBurstMax> there_{};
  std::vector<net::Packet> bodies_;
  std::uint64_t held_since_ns_ = 0;  // 0: nothing is held
  std::uint64_t busy_since_ns_ = kNotBusy;
};

}  // namespace mcplane::loadgen
