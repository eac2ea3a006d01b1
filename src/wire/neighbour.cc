// parse_frame() proves a frame sound and ours a second time, so readers and answers go field by field and cannot
// overrun.
#include "wire/neighbour.h"

#include "wire/checksum.h"
#include "wire/layout.h"

namespace mcplane::wire {
namespace {

// An IPv6 packet that asks for or tells a link address.
constexpr std::size_t kDiscoveryBytes = kIpv6Bytes + kNeighbourBytes + kLinkOptionBytes;
constexpr MacAddress kAllNodesMac = {0x33, 0x33, 0, 0, 0, 1};

void write_arp(std::byte* at, std::uint16_t operation, const MacAddress& sender_mac, const IpAddress& sender,
               const MacAddress& target_mac, const IpAddress& target) noexcept {
  store_be16(at, 1);  // Ethernet
  store_be16(at + 2, kEtherIpv4);
  at[4] = std::byte{6};
  at[5] = std::byte{4};
  store_be16(at + 6, operation);
  store_mac(at + 8, sender_mac);
  store_ipv4(at + 14, sender);
  store_mac(at + 18, target_mac);
  store_ipv4(at + 24, target);
}

// Fills the checksum of the `length` bytes of ICMPv6 behind an IPv6 header that is otherwise complete.
void seal_icmpv6(std::byte* ip, std::size_t length) noexcept {
  std::byte* const message = ip + kIpv6Bytes;
  store_be16(ip + 4, static_cast<std::uint16_t>(length));
  store_be16(message + 2, 0);
  const std::uint16_t pseudo =
      sum_pseudo(load_ipv6(ip + 8), load_ipv6(ip + 24), kProtocolIcmpv6, static_cast<std::uint32_t>(length));
  store_16(message + 2, checksum_of(sum_add(pseudo, sum_bytes({message, length}))));
}

// Behind an IPv6 header: a message of neighbour discovery about `target`, with a link address option.
void write_discovery(std::byte* ip, std::uint8_t type, std::uint8_t flags, const IpAddress& target, std::uint8_t option,
                     const MacAddress& mac) noexcept {
  std::byte* const message = ip + kIpv6Bytes;
  std::memset(message, 0, kNeighbourBytes + kLinkOptionBytes);
  message[0] = std::byte{type};
  message[4] = std::byte{flags};
  store_ipv6(message + 8, target);
  message[24] = std::byte{option};
  message[25] = std::byte{1};  // option length in units of 8 bytes
  store_mac(message + 26, mac);
  seal_icmpv6(ip, kNeighbourBytes + kLinkOptionBytes);
}

// IPv6 packet that says `target` is at `mac`.
void write_advertisement(std::byte* ip, const IpAddress& target, const MacAddress& mac, const IpAddress& destination,
                         std::uint8_t flags) noexcept {
  write_ipv6(ip, target, destination, kProtocolIcmpv6, kNeighbourHopLimit);
  write_discovery(ip, kNeighbourAdvertisement, flags, target, kTargetLinkAddress, mac);
}

std::size_t answer_arp(std::span<const std::byte> frame, const Datagram& request, const LocalAddresses& local,
                       std::span<std::byte> answer) noexcept {
  const std::byte* const packet = frame.data() + request.l3_offset;
  if (load_be16(packet + 6) != kArpRequest || answer.size() < request.l3_offset + kArpBytes) return 0;
  if (!local.contains(load_ipv4(packet + 24))) return 0;  // gratuitous
  const MacAddress& mac = local.mac;
  const MacAddress asker = load_mac(packet + 8);
  const std::size_t l3 = write_ethernet(answer.data(), asker, mac, request.vlan, kEtherArp);
  write_arp(answer.data() + l3, kArpReply, mac, load_ipv4(packet + 24), asker, load_ipv4(packet + 14));
  return l3 + kArpBytes;
}

std::size_t answer_echo(std::span<const std::byte> frame, const Datagram& request, const MacAddress& mac,
                        std::span<std::byte> answer) noexcept {
  const bool v4 = request.destination.is_v4();
  const std::size_t length = request.payload_length;
  if (answer.size() < request.payload_offset + length) return 0;
  const std::size_t l3 =
      write_ethernet(answer.data(), load_mac(frame.data() + 6), mac, request.vlan, v4 ? kEtherIpv4 : kEtherIpv6);
  std::byte* const ip = answer.data() + l3;
  std::byte* const message = answer.data() + request.payload_offset;
  std::memcpy(message, frame.data() + request.payload_offset, length);
  if (v4) {
    write_ipv4(ip, request.destination, request.source.ip, kProtocolIcmp);
    store_be16(ip + 2, static_cast<std::uint16_t>(kIpv4Bytes + length));
    store_16(ip + 10, checksum_of(sum_bytes({ip, kIpv4Bytes})));
    message[0] = std::byte{kIcmpEchoReply};
    store_be16(message + 2, 0);
    store_16(message + 2, checksum_of(sum_bytes({message, length})));
  } else {
    write_ipv6(ip, request.destination, request.source.ip, kProtocolIcmpv6, kHopLimit);
    message[0] = std::byte{kIcmpv6EchoReply};
    seal_icmpv6(ip, length);
  }
  return request.payload_offset + length;
}

std::size_t answer_solicitation(std::span<const std::byte> frame, const Datagram& request, const MacAddress& mac,
                                std::span<std::byte> answer) noexcept {
  if (answer.size() < request.l3_offset + kDiscoveryBytes) return 0;
  const IpAddress target = load_ipv6(frame.data() + request.payload_offset + 8);
  // Who probes for a free address has none to be answered at: everyone hears it (RFC 4861 7.2.4).
  const bool probe = request.source.ip == IpAddress{};
  const MacAddress asker = probe ? kAllNodesMac : load_mac(frame.data() + 6);
  const std::size_t l3 = write_ethernet(answer.data(), asker, mac, request.vlan, kEtherIpv6);
  write_advertisement(answer.data() + l3, target, mac, probe ? kAllNodes : request.source.ip,
                      probe ? kOverride : kSolicited | kOverride);
  return l3 + kDiscoveryBytes;
}

// The link address that the first sound option of `type` holds.
std::optional<MacAddress> link_address_in(std::span<const std::byte> options, std::uint8_t type) noexcept {
  while (options.size() >= kLinkOptionBytes) {
    const std::size_t length = 8 * std::size_t{load_u8(options.data() + 1)};
    if (length == 0 || length > options.size()) break;
    if (load_u8(options.data()) == type && length == kLinkOptionBytes) return load_mac(options.data() + 2);
    options = options.subspan(length);
  }
  return std::nullopt;
}

NeighbourClaim arp_claim(const std::byte* packet, const LocalAddresses& local) noexcept {
  NeighbourClaim claim;
  claim.ip = load_ipv4(packet + 14);
  claim.mac = load_mac(packet + 8);
  claim.solicited = load_be16(packet + 6) == kArpReply && local.contains(load_ipv4(packet + 24));
  claim.overrides = true;
  return claim;
}

// nullopt for an echo, and for a solicitation that leaves its sender's link address out.
std::optional<NeighbourClaim> discovery_claim(std::span<const std::byte> frame, const Datagram& datagram) noexcept {
  const auto message = frame.subspan(datagram.payload_offset, datagram.payload_length);
  const std::uint8_t type = load_u8(message.data());
  NeighbourClaim claim;
  if (type == kNeighbourSolicitation) {
    claim.ip = datagram.source.ip;
    claim.mac = link_address_in(message.subspan(kNeighbourBytes), kSourceLinkAddress);
    claim.overrides = true;
    if (claim.mac) return claim;
  } else if (type == kNeighbourAdvertisement) {
    const std::uint8_t flags = load_u8(message.data() + 4);
    claim.ip = load_ipv6(message.data() + 8);
    claim.mac = link_address_in(message.subspan(kNeighbourBytes), kTargetLinkAddress);
    claim.solicited = (flags & kSolicited) != 0;
    claim.overrides = (flags & kOverride) != 0;
    return claim;
  }
  return std::nullopt;
}

bool is_another_host(const MacAddress& mac, const LocalAddresses& local) noexcept {
  return mac != MacAddress{} && (mac[0] & 1) == 0 && mac != local.mac;
}

}  // namespace

std::size_t answer_neighbour_frame(std::span<const std::byte> frame, const LocalAddresses& local,
                                   std::span<std::byte> answer) noexcept {
  const Datagram request = parse_frame(frame, local, false);
  if (request.frame_class != FrameClass::kControl) return 0;
  if (load_be16(frame.data() + request.l3_offset - 2) == kEtherArp) return answer_arp(frame, request, local, answer);
  const std::uint8_t type = load_u8(frame.data() + request.payload_offset);
  if (type == (request.destination.is_v4() ? kIcmpEchoRequest : kIcmpv6EchoRequest))
    return answer_echo(frame, request, local.mac, answer);
  return type == kNeighbourSolicitation ? answer_solicitation(frame, request, local.mac, answer) : 0;
}

std::optional<NeighbourClaim> read_neighbour_claim(std::span<const std::byte> frame,
                                                   const LocalAddresses& local) noexcept {
  const Datagram datagram = parse_frame(frame, local, false);
  if (datagram.frame_class != FrameClass::kControl) return std::nullopt;
  std::optional<NeighbourClaim> claim;
  if (load_be16(frame.data() + datagram.l3_offset - 2) == kEtherArp) {
    claim = arp_claim(frame.data() + datagram.l3_offset, local);
  } else if (!datagram.destination.is_v4()) {
    claim = discovery_claim(frame, datagram);
  }
  // Ours would be a conflict of addresses or our own words come back; 0.0.0.0 asks whether an address is taken.
  if (!claim || local.contains(claim->ip) || claim->ip == IpAddress::v4({}) || claim->ip == IpAddress{})
    return std::nullopt;
  if (claim->mac && !is_another_host(*claim->mac, local)) return std::nullopt;
  claim->vlan = datagram.vlan;
  return claim;
}

std::size_t ask(const Question& question, std::span<std::byte> frame) noexcept {
  const bool v4 = question.target.is_v4();
  const std::size_t head = question.vlan == kNoVlan ? kEthernetBytes : kEthernetBytes + kVlanBytes;
  if (frame.size() < head + (v4 ? kArpBytes : kDiscoveryBytes)) return 0;
  const MacAddress everyone = v4 ? kBroadcastMac : solicited_node_mac(question.target);
  std::byte* const packet =
      frame.data() + write_ethernet(frame.data(), question.to.value_or(everyone), question.source_mac, question.vlan,
                                    v4 ? kEtherArp : kEtherIpv6);
  if (v4) {
    write_arp(packet, kArpRequest, question.source_mac, question.source, MacAddress{}, question.target);
    return head + kArpBytes;
  }
  write_ipv6(packet, question.source, question.to ? question.target : solicited_node_ip(question.target),
             kProtocolIcmpv6, kNeighbourHopLimit);
  write_discovery(packet, kNeighbourSolicitation, 0, question.target, kSourceLinkAddress, question.source_mac);
  return head + kDiscoveryBytes;
}

std::size_t announce(const IpAddress& ip, const MacAddress& mac, std::span<std::byte> frame) noexcept {
  if (ip.is_v4()) {
    if (frame.size() < kEthernetBytes + kArpBytes) return 0;
    const std::size_t l3 = write_ethernet(frame.data(), kBroadcastMac, mac, kNoVlan, kEtherArp);
    write_arp(frame.data() + l3, kArpRequest, mac, ip, MacAddress{}, ip);  // RFC 5227 3
    return l3 + kArpBytes;
  }
  if (frame.size() < kEthernetBytes + kDiscoveryBytes) return 0;
  const std::size_t l3 = write_ethernet(frame.data(), kAllNodesMac, mac, kNoVlan, kEtherIpv6);
  write_advertisement(frame.data() + l3, ip, mac, kAllNodes, kOverride);
  return l3 + kDiscoveryBytes;
}

MacAddress solicited_node_mac(const IpAddress& ip) noexcept {
  return {0x33, 0x33, 0xff, ip.bytes[13], ip.bytes[14], ip.bytes[15]};
}

}  // namespace mcplane::wire
