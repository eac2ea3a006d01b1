// Ethernet to UDP headers as they are sent. Everything a peer's headers repeat is written once, with the sums of its
// constant parts, so the hot path copies and adds. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire/checksum.h"
#include "wire/datagram.h"
#include "wire/layout.h"

namespace mcplane::wire {

// Ethernet to UDP headers towards one peer, with lengths and checksums left 0 and the sum of their constant
// part remembered, so that writing them before a datagram is two copies and three stores.
struct LowerHeaders {
  std::uint8_t length = 0;  // bytes used
  bool ipv6 = false;
  std::uint16_t ip_sum = 0;                           // IPv4 header with length and checksum 0
  std::uint16_t pseudo_sum = 0;                       // addresses, protocol and ports
  std::array<std::byte, kLowerBytesMax + 2> bytes{};  // 68, of which IPv4 ends within the first cache line

  std::size_t udp_offset() const noexcept { return length - kUdpBytes; }
};

// Headers from `source` (ours) to `destination`, both of one family. ttl/hop limit 64, DF set on IPv4.
LowerHeaders make_lower_headers(const MacAddress& source_mac, const MacAddress& destination_mac, std::uint16_t vlan,
                                const Endpoint& source, const Endpoint& destination) noexcept;

// Copies the headers to `frame` (exactly headers.length bytes before the UDP payload) and fills lengths and
// checksums for a UDP payload of payload_length bytes whose bytes sum to payload_sum, which may be a sum of a few sums.
inline void write_lower_headers(const LowerHeaders& headers, std::byte* frame, std::uint16_t payload_length,
                                std::uint32_t payload_sum) noexcept {
  // Two copies of constant size that overlap cover every length, 42 to 66, without a call, but for what is written
  // last.
  constexpr std::size_t kCopied = 32, kLast = 2 * sizeof(std::uint16_t);
  static_assert(kLowerBytesMax - kLast <= 2 * kCopied);
  const std::size_t second = headers.length - kLast - kCopied;
  std::memcpy(frame, headers.bytes.data(), kCopied);
  std::memcpy(frame + second, headers.bytes.data() + second, kCopied);

  const auto udp_length = static_cast<std::uint16_t>(payload_length + kUdpBytes);
  const std::uint16_t udp_length_be = to_be16(udp_length);
  std::byte* const udp = frame + headers.udp_offset();
  if (headers.ipv6) {
    store_16(udp - kIpv6Bytes + 4, udp_length_be);
  } else {
    const std::uint16_t total_be = to_be16(static_cast<std::uint16_t>(udp_length + kIpv4Bytes));
    store_16(udp - kIpv4Bytes + 2, total_be);
    store_16(udp - kIpv4Bytes + 10, checksum_of(fold(std::uint32_t{headers.ip_sum} + total_be)));
  }
  // The length counts twice: in the pseudo header and in the UDP header.
  const std::uint16_t checksum = udp_checksum_of(headers.pseudo_sum + 2U * udp_length_be + payload_sum);
  const std::uint32_t last = udp_length_be | std::uint32_t{checksum} << 16;
  std::memcpy(udp + 4, &last, kLast);
}

}  // namespace mcplane::wire
