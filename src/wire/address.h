// Addresses as bytes in network order. IPv4 is held as an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2),
// so one comparison serves both families.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/siphash.h"

namespace mcplane::wire {

using MacAddress = std::array<std::uint8_t, 6>;
inline constexpr MacAddress kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct IpAddress {
  alignas(4) std::array<std::uint8_t, 16> bytes{};

  static constexpr IpAddress v4(std::array<std::uint8_t, 4> octets) noexcept {
    IpAddress address;
    address.bytes[10] = address.bytes[11] = 0xff;
    for (std::size_t i = 0; i < 4; ++i) address.bytes[12 + i] = octets[i];
    return address;
  }
  // Two 8-byte words, as they lie: comparing those costs a few cycles, comparing 16 bytes a call.
  constexpr std::array<std::uint64_t, 2> words() const noexcept {
    return std::bit_cast<std::array<std::uint64_t, 2>>(bytes);
  }
  constexpr bool is_v4() const noexcept {
    const auto [high, low] = words();
    return high == 0 && (low & 0xffffffffU) == 0xffff0000U;
  }
  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) noexcept {
    const auto x = a.words(), y = b.words();
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
  }
};

struct Endpoint {
  IpAddress ip;
  std::uint16_t port = 0;  // host order
  friend constexpr bool operator==(const Endpoint&, const Endpoint&) = default;
};
std::uint64_t hash_of(const SipKey& key, const Endpoint& endpoint) noexcept;  // SipHash-2-4 of address and port

// An address of the appliance: ip/prefix as given by --ip.
struct Prefix {
  IpAddress ip;
  std::uint8_t length = 0;  // bits; within 32 for IPv4, 128 for IPv6

  // Whether `other` is on this address's network; of one family.
  bool contains(const IpAddress& other) const noexcept;
};

// "10.0.0.1", "fd00::1"; nothing else. nullopt when malformed.
std::optional<IpAddress> parse_ip(std::string_view text);
// "10.0.0.1/24", "fd00::1/64".
std::optional<Prefix> parse_prefix(std::string_view text);
std::string to_string(const IpAddress& ip);
// "10.0.0.1:4000", "[fd00::1]:4000".
std::string to_string(const Endpoint& endpoint);
std::string to_string(const MacAddress& mac);

// A locally administered unicast MAC made from an address, so a restarted appliance keeps its neighbours valid.
MacAddress mac_for(const IpAddress& ip) noexcept;

}  // namespace mcplane::wire
