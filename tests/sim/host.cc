// See host.h. Addresses follow from a host's number, so that traces of two runs name the same peers.
#include "host.h"

#include <cstring>

#include "wire/layout.h"
#include "wire/lower_headers.h"
#include "wire/neighbour.h"

namespace mcplane::sim {
namespace {

constexpr std::uint8_t kPortsMax = 2;

wire::IpAddress ip_of(PortId port, testing::Family family, std::uint8_t host) {
  if (family == testing::Family::kIpv4) return wire::IpAddress::v4({10, raw(port), 0, host});
  wire::IpAddress ip;
  ip.bytes[0] = 0xfd;
  ip.bytes[1] = raw(port);
  ip.bytes[15] = host;
  return ip;
}

}  // namespace

const std::vector<wire::LocalAddresses>& broker_addresses() {
  static const std::vector<wire::LocalAddresses> addresses = [] {
    std::vector<wire::LocalAddresses> ports(kPortsMax);
    for (std::uint8_t i = 0; i < kPortsMax; ++i) {
      ports[i].mac = {0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(1 + i)};
      ports[i].ips[0] = {ip_of(PortId(i), testing::Family::kIpv4, 1), 24};
      ports[i].ips[1] = {ip_of(PortId(i), testing::Family::kIpv6, 1), 64};
      ports[i].count = 2;
    }
    return ports;
  }();
  return addresses;
}

wire::Endpoint broker_endpoint(PortId port, testing::Family family) {
  return {ip_of(port, family, 1), testing::kOurPort};
}

std::optional<Peek> peek(std::span<std::byte> frame) {
  constexpr std::size_t kLeast = wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes + wire::kLeadBytes;
  if (frame.size() < kLeast) return std::nullopt;
  Peek found;
  const bool tagged = wire::load_be16(frame.data() + 12) == wire::kEtherVlan;
  const std::size_t l3 = found.l3_offset = wire::kEthernetBytes + (tagged ? wire::kVlanBytes : 0);
  const std::uint16_t type = wire::load_be16(frame.data() + l3 - 2);
  const bool v4 = type == wire::kEtherIpv4;
  if (!v4 && type != wire::kEtherIpv6) return std::nullopt;
  const std::byte* const ip = frame.data() + l3;
  if (ip[v4 ? 9 : 6] != std::byte{wire::kProtocolUdp}) return std::nullopt;
  const std::size_t udp = found.udp_offset = l3 + (v4 ? wire::kIpv4Bytes : wire::kIpv6Bytes);
  if (frame.size() < udp + wire::kUdpBytes + wire::kLeadBytes) return std::nullopt;
  found.destination = {v4 ? wire::load_ipv4(ip + 16) : wire::load_ipv6(ip + 24),
                       wire::load_be16(frame.data() + udp + 2)};
  found.datagram = frame.subspan(udp + wire::kUdpBytes);
  return found;
}

Host::Host(std::uint32_t number, PortId port, testing::Family family, std::uint16_t vlan) : port_(port), vlan_(vlan) {
  const auto low = static_cast<std::uint8_t>(10 + number);
  local_.mac = {0x02, 0, 0, 0, 1, low};
  local_.ips[0] = {ip_of(port, testing::Family::kIpv4, low), 24};
  local_.ips[1] = {ip_of(port, testing::Family::kIpv6, low), 64};
  local_.count = 2;
  address_ = {ip_of(port, family, low), static_cast<std::uint16_t>(testing::kPeerPort + number)};
  broker_ = broker_endpoint(port, family);
}

void Host::wrap(std::span<const std::byte> datagram, const wire::Endpoint& to, Bytes& frame) const {
  const wire::LowerHeaders lower =
      wire::make_lower_headers(local_.mac, broker_addresses()[raw(port_)].mac, vlan_, address_, to);
  frame.resize(lower.length + datagram.size());
  std::memcpy(frame.data() + lower.length, datagram.data(), datagram.size());
  wire::write_lower_headers(lower, frame.data(), static_cast<std::uint16_t>(datagram.size()),
                            wire::sum_bytes(datagram));
}

Bytes Host::answer(std::span<const std::byte> frame) const {
  constexpr std::size_t kSlack = 32;  // as wire::answer_neighbour_frame asks
  Bytes answer(frame.size() + kSlack);
  answer.resize(wire::answer_neighbour_frame(frame, local_, answer));
  return answer;
}

}  // namespace mcplane::sim
