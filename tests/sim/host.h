// A peer's network card and address: datagrams to Ethernet frames and back, and the answers a host owes its neighbours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "support/frame_builder.h"

namespace mcplane::sim {

using testing::Bytes;

// Who the appliance is on a port: 10.P.0.1/24 and fdPP::1/64.
const std::vector<wire::LocalAddresses>& broker_addresses();
wire::Endpoint broker_endpoint(PortId port, testing::Family family);

// Where an MCP datagram lies in a frame, nothing verified.
struct Peek {
  std::size_t l3_offset = 0, udp_offset = 0;
  std::span<std::byte> datagram;
  wire::Endpoint destination;
};
// nullopt when it is no UDP, or too short for an MCP header.
std::optional<Peek> peek(std::span<std::byte> frame);

class Host {
 public:
  Host(std::uint32_t number, PortId port, testing::Family family, std::uint16_t vlan);

  // A frame around a datagram of ours.
  void wrap(std::span<const std::byte> datagram, const wire::Endpoint& to, Bytes& frame) const;
  // What the frame is to us.
  wire::Datagram parse(std::span<const std::byte> frame) const { return wire::parse_frame(frame, local_, false); }
  // What we answer a neighbour's question with; empty when none is due.
  Bytes answer(std::span<const std::byte> frame) const;

  PortId port() const noexcept { return port_; }
  const wire::Endpoint& address() const noexcept { return address_; }
  const wire::Endpoint& broker() const noexcept { return broker_; }
  const wire::MacAddress& mac() const noexcept { return local_.mac; }

 private:
  PortId port_;
  std::uint16_t vlan_;
  wire::LocalAddresses local_;
  wire::Endpoint address_, broker_;
};

}  // namespace mcplane::sim
