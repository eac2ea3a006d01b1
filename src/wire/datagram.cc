// Checks go outside in, each layer before the next is read, and the first fault names the drop. A frame is
// copied nowhere; offsets are remembered instead. Control frames are proved sound here, so that what answers
// them (neighbour.cc) only has to fill in fields.
#include "wire/datagram.h"

#include <algorithm>

#include "wire/checksum.h"
#include "wire/header.h"
#include "wire/layout.h"

namespace mcplane::wire {
namespace {

constexpr std::uint16_t kVlanIdMask = 0x0fff;
constexpr std::uint8_t kVersion4NoOptions = 0x45;
constexpr std::uint16_t kIpv4FragmentMask = 0x3fff;  // more fragments, offset
constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kEsp = 50, kAuthentication = 51,
                       kDestinationOptions = 60, kMobility = 135;

using Frame = std::span<const std::byte>;

bool is_group(const MacAddress& mac) noexcept { return (mac[0] & 1) != 0; }

bool is_for_us(const MacAddress& mac, const LocalAddresses& local) noexcept {
  return mac == local.mac || mac == kBroadcastMac || (mac[0] == 0x33 && mac[1] == 0x33);
}

bool is_multicast(const IpAddress& ip) noexcept {
  return ip.is_v4() ? (ip.bytes[12] & 0xf0) == 0xe0 : ip.bytes[0] == 0xff;
}

// Whether a host may send from it. Ours would be a loop or a forgery.
bool is_host_source(const IpAddress& ip, const LocalAddresses& local) noexcept {
  return ip != IpAddress{} && ip != IpAddress::v4({}) && ip != IpAddress::v4({255, 255, 255, 255}) &&
         !is_multicast(ip) && !local.contains(ip);
}

// Options of neighbour discovery: an empty one would loop its reader for ever (RFC 4861 7.1.1).
bool options_sound(Frame options, bool link_address_allowed) noexcept {
  while (!options.empty()) {
    if (options.size() < kLinkOptionBytes) return false;
    const std::size_t length = 8 * std::size_t{load_u8(options.data() + 1)};
    if (length == 0 || length > options.size()) return false;
    if (load_u8(options.data()) == kSourceLinkAddress && !link_address_allowed) return false;
    options = options.subspan(length);
  }
  return true;
}

// One received frame on its way through the layers. Each step returns kNone and calls the next, or the fault.
struct Parser {
  Frame frame;
  const LocalAddresses& local;
  bool checksum_good;
  Datagram& out;

  Frame l4() const noexcept { return frame.subspan(out.udp_offset, out.payload_length); }

  DropReason ethernet() noexcept;
  DropReason arp() noexcept;
  DropReason ipv4() noexcept;
  DropReason ipv6() noexcept;
  DropReason icmp() noexcept;
  DropReason icmpv6(bool to_us) noexcept;
  DropReason solicitation() noexcept;
  DropReason advertisement() noexcept;
  DropReason udp() noexcept;
  DropReason udp_checksum(std::uint16_t udp_length) noexcept;

  DropReason control() noexcept {
    out.frame_class = FrameClass::kControl;
    return DropReason::kNone;
  }
  void set_l4(std::size_t ip_bytes, std::size_t length) noexcept {
    out.udp_offset = out.payload_offset = static_cast<std::uint8_t>(out.l3_offset + ip_bytes);
    out.payload_length = static_cast<std::uint16_t>(length);
  }
};

DropReason Parser::ethernet() noexcept {
  if (frame.size() < kEthernetBytes) return DropReason::kShortFrame;
  // A group address as source would have us answer to everyone.
  if (!is_for_us(load_mac(frame.data()), local) || is_group(load_mac(frame.data() + 6))) return DropReason::kNotForUs;
  std::uint16_t type = load_be16(frame.data() + 12);
  out.l3_offset = kEthernetBytes;
  if (type == kEtherVlan) {
    if (frame.size() < kEthernetBytes + kVlanBytes) return DropReason::kShortFrame;
    out.vlan = load_be16(frame.data() + kEthernetBytes) & kVlanIdMask;
    type = load_be16(frame.data() + kEthernetBytes + 2);
    out.l3_offset = kEthernetBytes + kVlanBytes;
    if (type == kEtherVlan || type == kEtherServiceVlan) return DropReason::kNestedVlan;
    if (out.vlan == kVlanIdMask) return DropReason::kNotForUs;  // reserved (IEEE 802.1Q 9.6)
  }
  if (type == kEtherIpv4) return ipv4();
  if (type == kEtherIpv6) return ipv6();
  return type == kEtherArp ? arp() : DropReason::kUnknownEtherType;
}

DropReason Parser::arp() noexcept {
  // Ethernet, IPv4, and their address lengths.
  constexpr std::array<std::uint8_t, 6> kHead = {0, 1, 8, 0, 6, 4};
  const Frame packet = frame.subspan(out.l3_offset);
  if (packet.size() < kArpBytes || std::memcmp(packet.data(), kHead.data(), kHead.size()) != 0)
    return DropReason::kBadArp;
  const std::uint16_t operation = load_be16(packet.data() + 6);
  if ((operation != kArpRequest && operation != kArpReply) || is_group(load_mac(packet.data() + 8)))
    return DropReason::kBadArp;
  const IpAddress sender = load_ipv4(packet.data() + 14), target = load_ipv4(packet.data() + 24);
  // Who speaks of itself to everyone may be a peer that moved (RFC 5227 3).
  return local.contains(target) || (sender == target && is_host_source(sender, local)) ? control()
                                                                                       : DropReason::kNotForUs;
}

DropReason Parser::ipv4() noexcept {
  const Frame packet = frame.subspan(out.l3_offset);
  if (packet.size() < kIpv4Bytes) return DropReason::kShortFrame;
  const std::size_t total = load_be16(packet.data() + 2);
  if (load_u8(packet.data()) != kVersion4NoOptions || total < kIpv4Bytes || total > packet.size())
    return DropReason::kBadIpHeader;
  if (checksum_of(sum_bytes(packet.first(kIpv4Bytes))) != 0) return DropReason::kBadIpChecksum;
  if ((load_be16(packet.data() + 6) & kIpv4FragmentMask) != 0) return DropReason::kIpFragment;
  out.source.ip = load_ipv4(packet.data() + 12);
  out.destination = load_ipv4(packet.data() + 16);
  if (!local.contains(out.destination)) return DropReason::kNotForUs;
  if (!is_host_source(out.source.ip, local)) return DropReason::kBadIpHeader;
  set_l4(kIpv4Bytes, total - kIpv4Bytes);
  const std::uint8_t protocol = load_u8(packet.data() + 9);
  if (protocol == kProtocolUdp) return udp();
  return protocol == kProtocolIcmp ? icmp() : DropReason::kUnknownProtocol;
}

DropReason Parser::ipv6() noexcept {
  const Frame packet = frame.subspan(out.l3_offset);
  if (packet.size() < kIpv6Bytes) return DropReason::kShortFrame;
  const std::size_t length = load_be16(packet.data() + 4);
  if (load_u8(packet.data()) >> 4 != 6 || length > packet.size() - kIpv6Bytes) return DropReason::kBadIpHeader;
  out.source.ip = load_ipv6(packet.data() + 8);
  out.destination = load_ipv6(packet.data() + 24);
  // Mapped addresses stand for IPv4 peers and never belong on the wire (RFC 4942 2.2).
  if (out.source.ip.is_v4() || out.destination.is_v4()) return DropReason::kBadIpHeader;
  set_l4(kIpv6Bytes, length);
  const bool to_us = local.contains(out.destination);
  switch (load_u8(packet.data() + 6)) {
    case kFragment:
      return DropReason::kIpFragment;
    case kHopByHop:
    case kRouting:
    case kEsp:
    case kAuthentication:
    case kDestinationOptions:
    case kMobility:
      return DropReason::kIpExtension;
    case kProtocolIcmpv6:
      return icmpv6(to_us);
    case kProtocolUdp:
      if (!to_us) return DropReason::kNotForUs;
      return is_host_source(out.source.ip, local) ? udp() : DropReason::kBadIpHeader;
    default:
      return to_us ? DropReason::kUnknownProtocol : DropReason::kNotForUs;
  }
}

DropReason Parser::icmp() noexcept {
  const Frame message = l4();
  if (message.size() < kIcmpBytes) return DropReason::kBadIcmp;
  const std::uint8_t type = load_u8(message.data()), code = load_u8(message.data() + 1);
  const bool closed = is_port_unreachable(true, type, code);
  if (type != kIcmpEchoRequest && !closed) return DropReason::kNotForUs;
  const bool sound = (closed || code == 0) && checksum_of(sum_bytes(message)) == 0;
  return sound ? control() : DropReason::kBadIcmp;
}

DropReason Parser::icmpv6(bool to_us) noexcept {
  const Frame message = l4();
  if (message.size() < kIcmpBytes) return to_us ? DropReason::kBadIcmp : DropReason::kNotForUs;
  const std::uint8_t type = load_u8(message.data()), code = load_u8(message.data() + 1);
  const bool closed = to_us && is_port_unreachable(false, type, code);
  const bool solicits = type == kNeighbourSolicitation;
  const bool advertises = type == kNeighbourAdvertisement && (to_us || out.destination == kAllNodes);
  if (!solicits && !advertises && !closed && !(to_us && type == kIcmpv6EchoRequest)) return DropReason::kNotForUs;
  const std::uint16_t pseudo =
      sum_pseudo(out.source.ip, out.destination, kProtocolIcmpv6, static_cast<std::uint32_t>(message.size()));
  if ((code != 0 && !closed) || checksum_of(sum_add(pseudo, sum_bytes(message))) != 0) return DropReason::kBadIcmp;
  if (solicits) return solicitation();
  if (advertises) return advertisement();
  return is_host_source(out.source.ip, local) ? control() : DropReason::kBadIpHeader;
}

DropReason Parser::solicitation() noexcept {
  const Frame message = l4();
  if (load_u8(frame.data() + out.l3_offset + 7) != kNeighbourHopLimit || message.size() < kNeighbourBytes)
    return DropReason::kBadIcmp;
  const IpAddress target = load_ipv6(message.data() + 8);
  const bool to_group = out.destination == solicited_node_ip(target);
  // The unspecified source asks whether an address is taken (RFC 4862 5.4.3): to the group, with no link address.
  const bool probe = out.source.ip == IpAddress{};
  if (is_multicast(target) || (probe && !to_group) || !options_sound(message.subspan(kNeighbourBytes), !probe))
    return DropReason::kBadIcmp;
  if (!local.contains(target) || target.is_v4() || !(to_group || local.contains(out.destination)))
    return DropReason::kNotForUs;
  return probe || is_host_source(out.source.ip, local) ? control() : DropReason::kBadIpHeader;
}

// RFC 4861 7.1.2.
DropReason Parser::advertisement() noexcept {
  const Frame message = l4();
  if (load_u8(frame.data() + out.l3_offset + 7) != kNeighbourHopLimit || message.size() < kNeighbourBytes)
    return DropReason::kBadIcmp;
  const IpAddress target = load_ipv6(message.data() + 8);
  // An answer goes to who asked; what goes to all answers nobody.
  const bool answers_all = is_multicast(out.destination) && (load_u8(message.data() + 4) & kSolicited) != 0;
  if (is_multicast(target) || target.is_v4() || answers_all || !options_sound(message.subspan(kNeighbourBytes), true))
    return DropReason::kBadIcmp;
  return is_host_source(out.source.ip, local) ? control() : DropReason::kBadIpHeader;
}

DropReason Parser::udp() noexcept {
  const Frame segment = l4();
  if (segment.size() < kUdpBytes) return DropReason::kBadUdpLength;
  const std::uint16_t length = load_be16(segment.data() + 4);
  out.source.port = load_be16(segment.data());
  out.destination_port = load_be16(segment.data() + 2);
  if (length < kUdpBytes || length > segment.size() || out.source.port == 0) return DropReason::kBadUdpLength;
  out.payload_offset = static_cast<std::uint8_t>(out.udp_offset + kUdpBytes);
  out.payload_length = static_cast<std::uint16_t>(length - kUdpBytes);
  out.frame_class = FrameClass::kUdp;
  return udp_checksum(length);
}

// Verifies the checksum and leaves tail_sum. What the NIC verified need not be read again: the tail is then what
// the field says of the whole, less the parts that are read anyway (RFC 1624). That may give 0xffff for 0 or the
// other way, which no checksum built from it can tell.
DropReason Parser::udp_checksum(std::uint16_t udp_length) noexcept {
  constexpr std::size_t kHeadBytes = kUdpBytes + kLeadBytes;
  static_assert(kHeadBytes % 2 == 0);
  const Frame segment = frame.subspan(out.udp_offset, udp_length);
  const Frame head = segment.first(std::min<std::size_t>(kHeadBytes, segment.size()));
  const Frame tail = segment.subspan(head.size());
  if (load_16(segment.data() + 6) == 0) {
    if (!out.destination.is_v4()) return DropReason::kBadUdpChecksum;  // RFC 8200 8.1
    out.tail_sum = sum_bytes(tail);
    return DropReason::kNone;
  }
  if (checksum_good && tail.empty()) return DropReason::kNone;
  const std::uint16_t head_sum =
      sum_add(sum_pseudo(out.source.ip, out.destination, kProtocolUdp, udp_length), sum_bytes(head));
  if (checksum_good) {
    out.tail_sum = checksum_of(head_sum);
    return DropReason::kNone;
  }
  out.tail_sum = sum_bytes(tail);
  return checksum_of(sum_add(head_sum, out.tail_sum)) == 0 ? DropReason::kNone : DropReason::kBadUdpChecksum;
}

}  // namespace

Datagram parse_frame(std::span<const std::byte> frame, const LocalAddresses& local, bool checksum_good) noexcept {
  Datagram datagram;
  datagram.reason = Parser{frame, local, checksum_good, datagram}.ethernet();
  if (datagram.reason != DropReason::kNone) datagram.frame_class = FrameClass::kDrop;
  return datagram;
}

std::size_t peek_udp(std::span<const std::byte> frame) noexcept {
  if (frame.size() < kEthernetBytes + kVlanBytes) return 0;
  const bool tagged = load_be16(frame.data() + 12) == kEtherVlan;
  const std::size_t l3 = kEthernetBytes + (tagged ? kVlanBytes : 0);
  const std::uint16_t type = load_be16(frame.data() + l3 - 2);
  const Frame packet = frame.subspan(l3);
  if (type == kEtherIpv4 && packet.size() >= kIpv4Bytes + kUdpBytes) {
    // Of a packet in fragments only the first has a UDP header.
    const bool plain =
        load_u8(packet.data()) == kVersion4NoOptions && (load_be16(packet.data() + 6) & kIpv4FragmentMask) == 0;
    if (plain && load_u8(packet.data() + 9) == kProtocolUdp) return l3 + kIpv4Bytes;
  }
  if (type == kEtherIpv6 && packet.size() >= kIpv6Bytes + kUdpBytes && load_u8(packet.data() + 6) == kProtocolUdp)
    return l3 + kIpv6Bytes;
  return 0;
}

std::uint16_t peek_destination_port(std::span<const std::byte> frame) noexcept {
  const std::size_t udp = peek_udp(frame);
  return udp != 0 ? load_be16(frame.data() + udp + 2) : std::uint16_t{0};
}

}  // namespace mcplane::wire
