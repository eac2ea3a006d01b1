// Text forms of addresses, by the C library's inet_pton and inet_ntop. Start-up and control only.
#include "wire/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace mcplane::wire {

bool Prefix::contains(const IpAddress& other) const noexcept {
  constexpr unsigned kMappedBits = 96;  // of an IPv4-mapped address, before its IPv4 bits
  if (ip.is_v4() != other.is_v4()) return false;
  unsigned bits = ip.is_v4() ? kMappedBits + length : length;
  for (std::size_t i = 0; bits > 0; ++i) {
    const unsigned here = std::min(bits, 8U);
    const auto mask = static_cast<std::uint8_t>(0xff00U >> here);
    if (((ip.bytes[i] ^ other.bytes[i]) & mask) != 0) return false;
    bits -= here;
  }
  return true;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  // inet_pton reads a C string: an embedded NUL would hide what follows it.
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  std::array<std::uint8_t, 4> octets;
  if (inet_pton(AF_INET, terminated.c_str(), octets.data()) == 1) return IpAddress::v4(octets);
  IpAddress ip;
  if (inet_pton(AF_INET6, terminated.c_str(), ip.bytes.data()) != 1) return std::nullopt;
  // "::ffff:10.0.0.1" would silently become the IPv4 address.
  if (ip.is_v4()) return std::nullopt;
  return ip;
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto ip = parse_ip(text.substr(0, slash));
  if (!ip) return std::nullopt;
  const std::string_view bits = text.substr(slash + 1);
  Prefix prefix{*ip, 0};
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), prefix.length);
  if (error != std::errc{} || end != bits.data() + bits.size()) return std::nullopt;
  if (prefix.length > (ip->is_v4() ? 32 : 128)) return std::nullopt;
  return prefix;
}

std::string to_string(const IpAddress& ip) {
  char text[INET6_ADDRSTRLEN];
  const bool v4 = ip.is_v4();
  inet_ntop(v4 ? AF_INET : AF_INET6, ip.bytes.data() + (v4 ? 12 : 0), text, sizeof text);
  return text;
}

std::string to_string(const Endpoint& endpoint) {
  const std::string ip = to_string(endpoint.ip);
  return (endpoint.ip.is_v4() ? ip : "[" + ip + "]") + ":" + std::to_string(endpoint.port);
}

std::string to_string(const MacAddress& mac) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : mac) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

MacAddress mac_for(const IpAddress& ip) noexcept {
  const std::uint64_t hash = siphash24({}, std::as_bytes(std::span(ip.bytes)));
  MacAddress mac;
  std::memcpy(mac.data(), &hash, mac.size());
  mac[0] = 0x02;  // unicast, locally administered (IEEE 802 8.2)
  return mac;
}

std::uint64_t hash_of(const SipKey& key, const Endpoint& endpoint) noexcept {
  std::array<std::byte, sizeof endpoint.ip.bytes + sizeof endpoint.port> bytes;
  std::memcpy(bytes.data(), endpoint.ip.bytes.data(), sizeof endpoint.ip.bytes);
  std::memcpy(bytes.data() + sizeof endpoint.ip.bytes, &endpoint.port, sizeof endpoint.port);
  return siphash24(key, bytes);
}

}  // namespace mcplane::wire
