// See wire_side.h.
#include "wire_side.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "wire/lower_headers.h"

namespace mcplane::testing {

wire::Endpoint WireSide::address_of(std::uint16_t endpoint) {
  return peer_endpoint(Family::kIpv4, static_cast<std::uint16_t>(kPeerPort + endpoint));
}

void WireSide::send(std::uint16_t endpoint, client::Outbox& out) {
  for (const client::Outbox::Entry& entry : out.entries()) {
    std::array<net::Packet, 1> packet;
    CHECK(stock_.allocate(packet, PortId{}));
    const wire::LowerHeaders lower =
        wire::make_lower_headers(kPeerMac, kOurMac, wire::kNoVlan, address_of(endpoint), entry.to);
    const auto length = static_cast<std::uint16_t>(entry.datagram.size());
    packet[0].set_length(static_cast<std::uint16_t>(lower.length + length));
    std::memcpy(packet[0].data() + lower.length, entry.datagram.data(), length);
    wire::write_lower_headers(lower, packet[0].data(), length, wire::sum_bytes(entry.datagram));
    const auto shard = static_cast<std::uint32_t>(entry.to.port - kOurPort);
    const std::uint32_t astray = random_.below(2);
    RingNic& nic = broker_.nic((shard + astray) % broker_.queues());
    while (nic.inject(packet) == 0) std::this_thread::yield();
    ++injected_;
  }
  out.clear();
}

std::size_t WireSide::receive(const OnDatagram& on_datagram) {
  wire::LocalAddresses peers;
  peers.mac = kPeerMac;
  peers.ips[peers.count++] = {peer_endpoint(Family::kIpv4).ip, 24};
  std::size_t received = 0;
  for (std::uint32_t queue = 0; queue < broker_.queues(); ++queue) {
    std::array<net::Packet, 64> packets;
    const std::size_t count = broker_.nic(queue).take_sent(packets);
    for (const net::Packet& packet : std::span(packets).first(count)) {
      const wire::Datagram parsed = wire::parse_frame(packet.bytes(), peers, false);
      if (parsed.frame_class != wire::FrameClass::kUdp) {
        // The broker announces its addresses to everyone, and asks who its neighbours are.
        unsound_ += parsed.reason == DropReason::kNone || parsed.reason == DropReason::kNotForUs ? 0 : 1;
        continue;
      }
      on_datagram(static_cast<std::uint16_t>(parsed.destination_port - kPeerPort),
                  packet.bytes().subspan(parsed.payload_offset, parsed.payload_length), parsed.source);
    }
    stock_.free(std::span(packets).first(count));
    received += count;
  }
  taken_ += received;
  return received;
}

}  // namespace mcplane::testing
