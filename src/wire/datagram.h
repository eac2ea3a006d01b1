// Ethernet (with at most one VLAN tag), IPv4 or IPv6, and UDP, taken apart and put together.
// Bytes from the wire never assert: parse_frame returns the reason to drop them. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/drop_reason.h"
#include "wire/address.h"

namespace mcplane::wire {

inline constexpr std::size_t kEthernetBytes = 14, kVlanBytes = 4, kIpv4Bytes = 20, kIpv6Bytes = 40, kUdpBytes = 8;
// Ethernet, VLAN, IPv6, UDP: the longest run of headers before an MCP datagram.
inline constexpr std::size_t kLowerBytesMax = kEthernetBytes + kVlanBytes + kIpv6Bytes + kUdpBytes;
inline constexpr std::uint16_t kNoVlan = 0xffff;

// The addresses one port of the appliance answers to. Filled at start, then constant.
struct LocalAddresses {
  static constexpr std::size_t kCapacity = 8;
  std::array<Prefix, kCapacity> ips{};
  std::size_t count = 0;
  MacAddress mac{};

  bool contains(const IpAddress& ip) const noexcept {
    for (std::size_t i = 0; i < count; ++i)
      if (ips[i].ip == ip) return true;
    return false;
  }
};

// What a frame is, before anyone looks at MCP.
enum class FrameClass : std::uint8_t {
  kDrop,     // reason says why
  kUdp,      // to one of our addresses; every field below is set
  kControl,  // ARP, ICMP or neighbour discovery that asks or tells us something: for the control thread
};

// A parsed frame. Offsets count from the start of the frame.
// Of a kControl frame l3_offset and vlan are set, and over IP udp_offset = payload_offset (the ICMP message),
// payload_length, source.ip and destination.
struct Datagram {
  FrameClass frame_class = FrameClass::kDrop;
  DropReason reason = DropReason::kNone;
  std::uint8_t l3_offset = 0;  // 14 or 18
  std::uint8_t udp_offset = 0;
  std::uint8_t payload_offset = 0;  // of the MCP datagram
  std::uint16_t payload_length = 0;
  std::uint16_t vlan = kNoVlan;  // VLAN id 0-4094, priority bits dropped
  // One's complement sum of what follows the MCP lead (wire::kLeadBytes) in the payload: lets egress write the
  // new UDP checksum without reading the payload again. 0 when the payload is not longer than the lead.
  std::uint16_t tail_sum = 0;
  std::uint16_t destination_port = 0;
  IpAddress destination;
  Endpoint source;
};

// Takes a received frame apart and verifies it: lengths, IPv4 header checksum, UDP checksum (unless the NIC
// already did: checksum_good; a sender's 0 over IPv4 is accepted). Frames to a foreign MAC or IP are dropped;
// ARP for us, gratuitous ARP of anybody, ICMP echo requests, neighbour solicitations and word of unreachable ports for
// us, and neighbour advertisements to us or to all are kControl.
// A frame longer than its IP packet (Ethernet padding) is fine.
Datagram parse_frame(std::span<const std::byte> frame, const LocalAddresses& local, bool checksum_good) noexcept;

// Where the UDP header of a frame begins, in an IP packet without options that is not a later fragment, nothing
// verified. 0 when the frame has none, or none that is whole.
std::size_t peek_udp(std::span<const std::byte> frame) noexcept;
// The UDP port a frame is sent to, as of peek_udp(): enough to choose who parses the frame. 0 when there is none.
std::uint16_t peek_destination_port(std::span<const std::byte> frame) noexcept;

}  // namespace mcplane::wire
