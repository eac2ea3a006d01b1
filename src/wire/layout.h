// Numbers and byte access shared by the parsers and writers of Ethernet, IP, ARP and ICMP.
// Loads and stores go through memcpy: any alignment, one instruction each. Pure; any thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire/address.h"
#include "wire/checksum.h"
#include "wire/datagram.h"

namespace mcplane::wire {

static_assert(std::endian::native == std::endian::little, "headers are read in place on x86-64");

inline constexpr std::uint16_t kEtherIpv4 = 0x0800, kEtherArp = 0x0806, kEtherVlan = 0x8100, kEtherIpv6 = 0x86dd,
                               kEtherServiceVlan = 0x88a8;
inline constexpr std::uint8_t kProtocolIcmp = 1, kProtocolUdp = 17, kProtocolIcmpv6 = 58;
inline constexpr std::uint8_t kHopLimit = 64;
// Neighbour discovery is link-local: a router would have lowered it (RFC 4861 7.1.1).
inline constexpr std::uint8_t kNeighbourHopLimit = 255;
inline constexpr std::uint16_t kIpv4DontFragment = 0x4000;
inline constexpr std::uint16_t kArpRequest = 1, kArpReply = 2;
inline constexpr std::size_t kArpBytes = 28, kIcmpBytes = 8;
// ICMPv6 header and target of a neighbour solicitation or advertisement; options follow.
inline constexpr std::size_t kNeighbourBytes = 24, kLinkOptionBytes = 8;
inline constexpr std::uint8_t kSourceLinkAddress = 1, kTargetLinkAddress = 2;  // option types
// Flags of an advertisement, in the byte behind its checksum.
inline constexpr std::uint8_t kSolicited = 0x40, kOverride = 0x20;
inline constexpr IpAddress kAllNodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
inline constexpr std::uint8_t kIcmpEchoReply = 0, kIcmpUnreachable = 3, kIcmpEchoRequest = 8;
inline constexpr std::uint8_t kIcmpv6Unreachable = 1, kIcmpv6EchoRequest = 128, kIcmpv6EchoReply = 129,
                              kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136;
// Whether an ICMP message with that type and code says that nobody listens at a port.
constexpr bool is_port_unreachable(bool v4, std::uint8_t type, std::uint8_t code) noexcept {
  constexpr std::uint8_t kCode = 3, kCode6 = 4;
  return v4 ? type == kIcmpUnreachable && code == kCode : type == kIcmpv6Unreachable && code == kCode6;
}

// As it lies in memory.
template <class Word>
Word load_word(const void* at) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
// A checksum.
inline std::uint16_t load_16(const std::byte* at) noexcept { return load_word<std::uint16_t>(at); }
inline void store_16(std::byte* at, std::uint16_t value) noexcept { std::memcpy(at, &value, sizeof value); }
inline std::uint16_t load_be16(const std::byte* at) noexcept { return to_be16(load_16(at)); }
// Where the compiler has a field of 16 bits turned in two instructions, a word that holds it takes one.
inline std::uint32_t load_be32(const std::byte* at) noexcept { return __builtin_bswap32(load_word<std::uint32_t>(at)); }
inline void store_be16(std::byte* at, std::uint16_t value) noexcept { store_16(at, to_be16(value)); }
inline std::uint8_t load_u8(const std::byte* at) noexcept { return std::to_integer<std::uint8_t>(*at); }

inline MacAddress load_mac(const std::byte* at) noexcept { return load_word<MacAddress>(at); }
inline IpAddress load_ipv4(const std::byte* at) noexcept {
  const auto octets = load_word<std::uint32_t>(at);
  // Whole words, so that reading the address back need not wait for narrow stores.
  const std::array<std::uint64_t, 2> mapped = {0, (std::uint64_t{octets} << 32) | 0xffff0000U};
  return {std::bit_cast<std::array<std::uint8_t, 16>>(mapped)};
}
inline IpAddress load_ipv6(const std::byte* at) noexcept { return load_word<IpAddress>(at); }
inline void store_mac(std::byte* at, const MacAddress& mac) noexcept { std::memcpy(at, mac.data(), mac.size()); }
inline void store_ipv4(std::byte* at, const IpAddress& ip) noexcept { std::memcpy(at, ip.bytes.data() + 12, 4); }
inline void store_ipv6(std::byte* at, const IpAddress& ip) noexcept { std::memcpy(at, ip.bytes.data(), 16); }

// Ethernet header, with a tag unless vlan is kNoVlan; returns its length.
std::size_t write_ethernet(std::byte* frame, const MacAddress& destination, const MacAddress& source,
                           std::uint16_t vlan, std::uint16_t ether_type) noexcept;
// IP headers without lengths and, for IPv4, without checksum.
void write_ipv4(std::byte* at, const IpAddress& source, const IpAddress& destination, std::uint8_t protocol) noexcept;
void write_ipv6(std::byte* at, const IpAddress& source, const IpAddress& destination, std::uint8_t next_header,
                std::uint8_t hop_limit) noexcept;

// ff02::1:ffXX:XXXX of an IPv6 address (RFC 4291 2.7.1).
constexpr IpAddress solicited_node_ip(const IpAddress& ip) noexcept {
  IpAddress group{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
  for (std::size_t i = 13; i < 16; ++i) group.bytes[i] = ip.bytes[i];
  return group;
}

}  // namespace mcplane::wire
