// Address and port are told apart by brackets or by a single colon; what is no address is looked up as a name.
#include "client/broker_address.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>

#include "mcplane/client.h"

namespace mcplane::client {

namespace {

struct HostPort {
  std::string_view host;
  std::string_view port;  // empty: the default
};

[[noreturn]] void refuse(std::string_view text, std::string_view what) {
  throw std::runtime_error("broker address \"" + std::string(text) + "\": " + std::string(what) +
                           "; write 10.0.0.1, 10.0.0.1:4800, [fd00::1]:4800 or a host name");
}

HostPort split(std::string_view text) {
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) refuse(text, "no closing bracket");
    const std::string_view behind = text.substr(end + 1);
    if (behind.empty()) return {text.substr(1, end - 1), ""};
    if (behind.front() != ':' || behind.size() == 1) refuse(text, "no port behind the bracket");
    return {text.substr(1, end - 1), behind.substr(1)};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) return {text, ""};
  if (colon + 1 == text.size()) refuse(text, "no port behind the colon");
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::uint16_t parse_port(std::string_view text, std::string_view port) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (error != std::errc{} || end != port.data() + port.size() || value == 0) refuse(text, "port is not 1 to 65535");
  return value;
}

wire::IpAddress address_of(const addrinfo& found) noexcept {
  wire::IpAddress ip;
  if (found.ai_family == AF_INET6) {
    sockaddr_in6 address;
    std::memcpy(&address, found.ai_addr, sizeof address);
    std::memcpy(ip.bytes.data(), &address.sin6_addr, ip.bytes.size());
    return ip;
  }
  sockaddr_in address;
  std::memcpy(&address, found.ai_addr, sizeof address);
  std::array<std::uint8_t, 4> octets;
  std::memcpy(octets.data(), &address.sin_addr, octets.size());
  return wire::IpAddress::v4(octets);
}

std::optional<wire::IpAddress> look_up(std::string_view host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  if (getaddrinfo(std::string(host).c_str(), nullptr, &hints, &list) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(list, &freeaddrinfo);
  for (const addrinfo* found = list; found != nullptr; found = found->ai_next)
    if (found->ai_family == AF_INET || found->ai_family == AF_INET6) return address_of(*found);
  return std::nullopt;
}

}  // namespace

wire::Endpoint parse_broker_address(std::string_view text) {
  const auto [host, port] = split(text);
  if (host.empty()) refuse(text, "no host");
  const std::uint16_t number = port.empty() ? kDefaultPort : parse_port(text, port);
  if (const auto ip = wire::parse_ip(host)) return {*ip, number};
  const auto found = look_up(host);
  if (!found) refuse(text, "no such host");
  return {*found, number};
}

std::vector<wire::Endpoint> parse_broker_list(std::string_view text) {
  std::vector<wire::Endpoint> brokers;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view typed = text.substr(start, comma - start);
    const wire::Endpoint broker = parse_broker_address(typed);
    if (std::ranges::find(brokers, broker) != brokers.end()) refuse(typed, "named twice");
    if (!brokers.empty() && brokers.front().ip.is_v4() != broker.ip.is_v4())
      refuse(text, "IPv4 and IPv6 cannot be mixed");
    brokers.push_back(broker);
    start = comma + 1;
  }
  return brokers;
}

std::string to_string(const std::vector<wire::Endpoint>& brokers) {
  std::string text;
  for (const auto& broker : brokers) text += (text.empty() ? "" : " or ") + wire::to_string(broker);
  return text;
}

}  // namespace mcplane::client
