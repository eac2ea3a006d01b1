// See lower_headers.h.
#include "wire/lower_headers.h"

#include "base/check.h"
#include "wire/checksum.h"
#include "wire/layout.h"

namespace mcplane::wire {

std::size_t write_ethernet(std::byte* frame, const MacAddress& destination, const MacAddress& source,
                           std::uint16_t vlan, std::uint16_t ether_type) noexcept {
  store_mac(frame, destination);
  store_mac(frame + 6, source);
  if (vlan == kNoVlan) {
    store_be16(frame + 12, ether_type);
    return kEthernetBytes;
  }
  store_be16(frame + 12, kEtherVlan);
  store_be16(frame + 14, vlan);
  store_be16(frame + 16, ether_type);
  return kEthernetBytes + kVlanBytes;
}

void write_ipv4(std::byte* at, const IpAddress& source, const IpAddress& destination, std::uint8_t protocol) noexcept {
  std::memset(at, 0, kIpv4Bytes);
  at[0] = std::byte{0x45};
  store_be16(at + 6, kIpv4DontFragment);
  at[8] = std::byte{kHopLimit};
  at[9] = std::byte{protocol};
  store_ipv4(at + 12, source);
  store_ipv4(at + 16, destination);
}

void write_ipv6(std::byte* at, const IpAddress& source, const IpAddress& destination, std::uint8_t next_header,
                std::uint8_t hop_limit) noexcept {
  std::memset(at, 0, kIpv6Bytes);
  at[0] = std::byte{0x60};
  at[6] = std::byte{next_header};
  at[7] = std::byte{hop_limit};
  store_ipv6(at + 8, source);
  store_ipv6(at + 24, destination);
}

LowerHeaders make_lower_headers(const MacAddress& source_mac, const MacAddress& destination_mac, std::uint16_t vlan,
                                const Endpoint& source, const Endpoint& destination) noexcept {
  LowerHeaders headers;
  headers.ipv6 = !destination.ip.is_v4();
  DCHECK(source.ip.is_v4() == destination.ip.is_v4());
  std::byte* const start = headers.bytes.data();
  const std::size_t l3 =
      write_ethernet(start, destination_mac, source_mac, vlan, headers.ipv6 ? kEtherIpv6 : kEtherIpv4);
  if (headers.ipv6) {
    write_ipv6(start + l3, source.ip, destination.ip, kProtocolUdp, kHopLimit);
  } else {
    write_ipv4(start + l3, source.ip, destination.ip, kProtocolUdp);
    headers.ip_sum = sum_bytes(std::span(headers.bytes).subspan(l3, kIpv4Bytes));
  }
  const std::size_t l4 = l3 + (headers.ipv6 ? kIpv6Bytes : kIpv4Bytes);
  store_be16(start + l4, source.port);
  store_be16(start + l4 + 2, destination.port);
  headers.length = static_cast<std::uint8_t>(l4 + kUdpBytes);
  headers.pseudo_sum = sum_add(sum_pseudo(source.ip, destination.ip, kProtocolUdp, 0),
                               sum_bytes(std::span(headers.bytes).subspan(l4, kUdpBytes)));
  return headers;
}

}  // namespace mcplane::wire
