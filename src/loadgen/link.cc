// The next hop is asked for every second until it answers, then every 30 s; between the two it tells of a change by
// itself, with a gratuitous ARP or an unsolicited advertisement. See link.h.
#include "loadgen/link.h"

#include <cstring>

#include "base/check.h"
#include "base/types.h"
#include "wire/layout.h"
#include "wire/neighbour.h"
#include "wire/wide_sum.h"

namespace mcplane::loadgen {
namespace {

constexpr std::size_t kIpv4Datagram = wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes;
constexpr std::uint16_t kFragmentMask = 0x3fff;  // more fragments, and the offset

using Ipv4Word = std::uint32_t;  // an IPv4 address, as it lies

constexpr std::uint64_t kAskAgainNs = kNsPerSecond, kRefreshNs = 30 * kNsPerSecond;

}  // namespace

Link::Link(const LinkOptions& options) : options_(options) {
  CHECK(!options.addresses.empty() && options.addresses.size() <= local_.ips.size());
  for (const wire::Prefix& address : options.addresses) local_.ips[local_.count++] = address;
  local_.mac = options.mac;
  ipv4_ = options.broker.is_v4();
  broker_word_ = wire::load_word<Ipv4Word>(options.broker.bytes.data() + 12);
  for (std::size_t i = 0; i < local_.count; ++i)
    address_words_[i] = wire::load_word<Ipv4Word>(local_.ips[i].ip.bytes.data() + 12);
}

std::size_t Link::on_frame(std::span<const std::byte> frame, std::span<std::byte> answer) noexcept {
  const auto claim = wire::read_neighbour_claim(frame, local_);
  if (claim && claim->ip == options_.next_hop && claim->mac && (claim->overrides || !resolved_)) learn(*claim->mac);
  return frame.size() + 32 <= answer.size() ? wire::answer_neighbour_frame(frame, local_, answer) : 0;
}

bool Link::read(std::span<const std::byte> frame, bool checksum_good, Inbound& inbound) const noexcept {
  if (frame.size() < kIpv4Datagram) return false;
  const std::byte* const ip = frame.data() + wire::kEthernetBytes;
  const std::size_t total = wire::load_be16(ip + 2);
  // For us, from a host, IPv4 without options or fragments, UDP.
  const bool expected = ipv4_ && std::memcmp(frame.data(), local_.mac.data(), local_.mac.size()) == 0 &&
                        (frame[6] & std::byte{1}) == std::byte{0} &&
                        wire::load_be16(frame.data() + 12) == wire::kEtherIpv4 && ip[0] == std::byte{0x45} &&
                        (wire::load_be16(ip + 6) & kFragmentMask) == 0 && ip[9] == std::byte{wire::kProtocolUdp};
  if (!expected || total < kIpv4Datagram - wire::kEthernetBytes || total > frame.size() - wire::kEthernetBytes)
    return false;
  const std::byte* const udp = ip + wire::kIpv4Bytes;
  const std::uint16_t udp_bytes = wire::load_be16(udp + 4);
  if (wire::load_word<Ipv4Word>(ip + 12) != broker_word_ || udp_bytes != total - wire::kIpv4Bytes) return false;
  for (inbound.address = 0; address_words_[inbound.address] != wire::load_word<Ipv4Word>(ip + 16);)
    if (++inbound.address == local_.count) return false;
  if (!wire::is_sound_ipv4_header(ip)) return false;
  if (!checksum_good) {
    if (wire::load_be16(udp + 6) == 0) return false;
    // The addresses of the pseudo header stand right before the UDP header.
    const std::uint16_t sum = wire::sum_bytes({ip + 12, total - 12});
    if (!wire::is_all_ones(std::uint32_t{sum} +
                           wire::to_be16(static_cast<std::uint16_t>(wire::kProtocolUdp + udp_bytes))))
      return false;
  }
  inbound.source_port = wire::load_be16(udp);
  inbound.port = wire::load_be16(udp + 2);
  inbound.offset = kIpv4Datagram;
  inbound.bytes = udp_bytes - wire::kUdpBytes;
  return true;
}

std::size_t Link::index_of(const wire::IpAddress& address) const noexcept {
  std::size_t index = 0;
  while (index + 1 < local_.count && local_.ips[index].ip != address) ++index;
  return index;
}

void Link::learn(const wire::MacAddress& mac) noexcept {
  if (resolved_ && mac == next_hop_mac_) return;
  resolved_ = true;
  next_hop_mac_ = mac;
  for (std::size_t i = 0; i < local_.count; ++i)
    headers_[i] = wire::make_lower_headers(local_.mac, mac, wire::kNoVlan, {local_.ips[i].ip, 0}, {options_.broker, 0});
}

std::size_t Link::write_due(std::uint64_t now_ns, std::span<std::byte> frame) noexcept {
  if (announced_ < local_.count) {
    ask_ns_ = now_ns;
    return wire::announce(local_.ips[announced_++].ip, local_.mac, frame);
  }
  if (now_ns < ask_ns_) return 0;
  ask_ns_ = now_ns + (resolved_ ? kRefreshNs : kAskAgainNs);
  wire::Question question{.target = options_.next_hop, .source = local_.ips[0].ip, .source_mac = local_.mac};
  if (resolved_) question.to = next_hop_mac_;
  return wire::ask(question, frame);
}

void Link::write_headers(std::byte* frame, std::size_t address, std::uint16_t source_port,
                         std::uint16_t destination_port, std::uint16_t datagram_bytes,
                         std::uint16_t datagram_sum) const noexcept {
  const wire::LowerHeaders& headers = headers_[address];
  if (ipv4_) {
    // All at constant places: a copy of constant size, and six stores.
    std::memcpy(frame, headers.bytes.data(), kIpv4Datagram);
    const auto udp_bytes = static_cast<std::uint16_t>(datagram_bytes + wire::kUdpBytes);
    const auto total = static_cast<std::uint16_t>(udp_bytes + wire::kIpv4Bytes);
    std::byte* const ip = frame + wire::kEthernetBytes;
    std::byte* const udp = ip + wire::kIpv4Bytes;
    wire::store_be16(ip + 2, total);
    wire::store_16(ip + 10, wire::checksum_of(wire::sum_add(headers.ip_sum, wire::to_be16(total))));
    wire::store_be16(udp, source_port);
    wire::store_be16(udp + 2, destination_port);
    wire::store_be16(udp + 4, udp_bytes);
    // The length counts twice: in the pseudo header and in the UDP header. Five sums of 16 bits are carried at once.
    const std::uint32_t sum = std::uint32_t{headers.pseudo_sum} + wire::to_be16(source_port) +
                              wire::to_be16(destination_port) + 2U * wire::to_be16(udp_bytes) + datagram_sum;
    wire::store_16(udp + 6, wire::udp_checksum_of(sum));
    return;
  }
  const std::uint32_t sum = std::uint32_t{datagram_sum} + wire::to_be16(source_port) + wire::to_be16(destination_port);
  wire::write_lower_headers(headers, frame, datagram_bytes, sum);
  std::byte* const udp = frame + headers.udp_offset();
  wire::store_be16(udp, source_port);
  wire::store_be16(udp + 2, destination_port);
}

}  // namespace mcplane::loadgen
