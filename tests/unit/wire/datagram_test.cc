// parse_frame: every reason of the Ethernet and IP groups, and what passes.
#include "wire/datagram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "support/frame_builder.h"
#include "wire/checksum.h"
#include "wire/layout.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

constexpr std::size_t kIp = kEthernetBytes, kUdp4 = kIp + kIpv4Bytes, kUdp6 = kIp + kIpv6Bytes;

Bytes ping(Family family, std::uint16_t vlan = kNoVlan) {
  return build_frame(testing::sample_spec(FrameType::Ping, family, vlan));
}
Bytes from(IpAddress ip, Family family) {
  auto spec = testing::sample_spec(FrameType::Ping, family);
  spec.source.ip = ip;
  return build_frame(spec);
}
Bytes to(IpAddress ip, Family family) {
  auto spec = testing::sample_spec(FrameType::Ping, family);
  spec.destination.ip = ip;
  return build_frame(spec);
}
// With byte `at` set to `value`, and the checksums right again unless told otherwise.
Bytes with(Bytes frame, std::size_t at, int value, bool refresh = true) {
  frame.at(at) = static_cast<std::byte>(value);
  if (refresh) testing::refresh_checksums(frame);
  return frame;
}
Bytes with16(Bytes frame, std::size_t at, std::uint16_t value, bool refresh = true) {
  store_be16(&frame.at(at), value);
  if (refresh) testing::refresh_checksums(frame);
  return frame;
}
Bytes cut(Bytes frame, std::size_t length) {
  frame.resize(length);
  return frame;
}
Bytes icmp(Family family) { return testing::build_icmp_echo(family, 32); }
IpAddress our(Family family) { return testing::our_endpoint(family).ip; }
Bytes solicitation() { return testing::build_neighbour_solicitation(our(Family::kIpv6)); }
Bytes closed_port(Family family) { return testing::build_port_unreachable(testing::build_sent_route(family)); }
Bytes arp() { return testing::build_arp_request(our(Family::kIpv4)); }

struct Fault {
  const char* what;
  Bytes frame;
  DropReason want;
};

void expect_all(const std::vector<Fault>& cases) {
  for (const Fault& one : cases) {
    const Datagram got = parse_frame(one.frame, testing::our_addresses(), false);
    EXPECT_EQ(name_of(got.reason), name_of(one.want)) << one.what;
    EXPECT_EQ(got.frame_class == FrameClass::kDrop, one.want != DropReason::kNone) << one.what;
  }
}

constexpr auto k4 = Family::kIpv4, k6 = Family::kIpv6;
using enum DropReason;

TEST(ParseFrame, EthernetFaults) {
  expect_all({
      {"nothing", {}, kShortFrame},
      {"less than Ethernet", cut(ping(k4), 13), kShortFrame},
      {"tag cut off", cut(ping(k4, 5), 17), kShortFrame},
      {"other unicast MAC", with(ping(k4), 5, 0x77), kNotForUs},
      {"IPv4 multicast MAC", with(ping(k4), 0, 0x01), kNotForUs},
      {"source MAC is a group", with(ping(k4), 6, 0x03), kNotForUs},
      {"LLDP", with16(ping(k4), 12, 0x88cc, false), kUnknownEtherType},
      {"802.3 length", with16(ping(k4), 12, 0x0100, false), kUnknownEtherType},
      {"service tag outside", with16(ping(k4, 5), 12, 0x88a8, false), kUnknownEtherType},
      {"two tags", with16(ping(k4, 5), 16, 0x8100, false), kNestedVlan},
      {"service tag inside", with16(ping(k4, 5), 16, 0x88a8, false), kNestedVlan},
      {"reserved VLAN id", with16(ping(k4, 5), 14, 0x0fff, false), kNotForUs},
      {"unknown type behind a tag", with16(ping(k4, 5), 16, 0x1234, false), kUnknownEtherType},
  });
}

TEST(ParseFrame, Ipv4Faults) {
  expect_all({
      {"header cut off", cut(ping(k4), kIp + 19), kShortFrame},
      {"version 6 in an IPv4 frame", with(ping(k4), kIp, 0x65), kBadIpHeader},
      {"options", with(ping(k4), kIp, 0x46), kBadIpHeader},
      {"header length 16", with(ping(k4), kIp, 0x44), kBadIpHeader},
      {"total length below the header", with16(ping(k4), kIp + 2, 19), kBadIpHeader},
      {"total length beyond the frame", with16(ping(k4), kIp + 2, 500), kBadIpHeader},
      {"header checksum", with(ping(k4), kIp + 8, 63, false), kBadIpChecksum},
      {"more fragments", with16(ping(k4), kIp + 6, 0x2000), kIpFragment},
      {"last fragment", with16(ping(k4), kIp + 6, 0x0001), kIpFragment},
      {"other destination", to(IpAddress::v4({10, 0, 0, 9}), k4), kNotForUs},
      {"broadcast destination", to(IpAddress::v4({255, 255, 255, 255}), k4), kNotForUs},
      {"unspecified source", from(IpAddress::v4({}), k4), kBadIpHeader},
      {"multicast source", from(IpAddress::v4({224, 0, 0, 1}), k4), kBadIpHeader},
      {"last multicast source", from(IpAddress::v4({239, 1, 2, 3}), k4), kBadIpHeader},
      {"broadcast source", from(IpAddress::v4({255, 255, 255, 255}), k4), kBadIpHeader},
      {"our own source", from(our(k4), k4), kBadIpHeader},
      {"TCP", with(ping(k4), kIp + 9, 6), kUnknownProtocol},
  });
}

TEST(ParseFrame, Ipv6Faults) {
  expect_all({
      {"header cut off", cut(ping(k6), kIp + 39), kShortFrame},
      {"version 4 in an IPv6 frame", with(ping(k6), kIp, 0x45, false), kBadIpHeader},
      {"payload length beyond the frame", with16(ping(k6), kIp + 4, 500), kBadIpHeader},
      {"hop-by-hop options", with(ping(k6), kIp + 6, 0), kIpExtension},
      {"routing header", with(ping(k6), kIp + 6, 43), kIpExtension},
      {"ESP", with(ping(k6), kIp + 6, 50), kIpExtension},
      {"authentication header", with(ping(k6), kIp + 6, 51), kIpExtension},
      {"destination options", with(ping(k6), kIp + 6, 60), kIpExtension},
      {"mobility header", with(ping(k6), kIp + 6, 135), kIpExtension},
      {"fragment header", with(ping(k6), kIp + 6, 44), kIpFragment},
      {"TCP", with(ping(k6), kIp + 6, 6), kUnknownProtocol},
      {"TCP to someone else", with(with(ping(k6), kIp + 39, 9), kIp + 6, 6), kNotForUs},
      {"other destination", with(ping(k6), kIp + 39, 9), kNotForUs},
      {"unspecified source", from({}, k6), kBadIpHeader},
      {"multicast source", from({{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, k6), kBadIpHeader},
      {"our own source", from(our(k6), k6), kBadIpHeader},
  });
  // Mapped IPv4 addresses in an IPv6 header: the builder would write IPv4 for them.
  Bytes mapped_source = ping(k6), mapped_destination = ping(k6);
  store_ipv6(mapped_source.data() + kIp + 8, IpAddress::v4({10, 0, 0, 2}));
  store_ipv6(mapped_destination.data() + kIp + 24, our(k4));
  testing::refresh_checksums(mapped_source);
  testing::refresh_checksums(mapped_destination);
  expect_all(
      {{"mapped source", mapped_source, kBadIpHeader}, {"mapped destination", mapped_destination, kBadIpHeader}});
}

TEST(ParseFrame, UdpFaults) {
  expect_all({
      {"no room for UDP", with16(ping(k4), kIp + 2, kIpv4Bytes + 7), kBadUdpLength},
      {"no room for UDP over IPv6", with16(ping(k6), kIp + 4, 7), kBadUdpLength},
      {"length 7", with16(ping(k4), kUdp4 + 4, 7), kBadUdpLength},
      {"length 0", with16(ping(k6), kUdp6 + 4, 0), kBadUdpLength},
      {"length beyond the packet", with16(ping(k4), kUdp4 + 4, 107), kBadUdpLength},
      {"source port 0", with16(ping(k4), kUdp4, 0), kBadUdpLength},
      {"checksum", with16(ping(k4), kUdp4 + 6, 0x1234, false), kBadUdpChecksum},
      {"payload", with(ping(k6), kUdp6 + 20, 0xff, false), kBadUdpChecksum},
      {"no checksum over IPv6", with16(ping(k6), kUdp6 + 6, 0, false), kBadUdpChecksum},
  });
}

TEST(ParseFrame, ControlFaults) {
  Bytes bad_group_sender = arp();
  bad_group_sender[kIp + 8] = std::byte{0xff};
  Bytes routed = solicitation();
  routed[kIp + 7] = std::byte{254};
  expect_all({
      {"ARP cut off", cut(arp(), kIp + 27), kBadArp},
      {"ARP of another link", with16(arp(), kIp, 6, false), kBadArp},
      {"ARP of another protocol", with16(arp(), kIp + 2, 0x86dd, false), kBadArp},
      {"ARP with MACs of 8 bytes", with(arp(), kIp + 4, 8, false), kBadArp},
      {"ARP with addresses of 16 bytes", with(arp(), kIp + 5, 16, false), kBadArp},
      {"RARP", with16(arp(), kIp + 6, 3, false), kBadArp},
      {"ARP from everyone", bad_group_sender, kBadArp},
      {"ARP for another", testing::build_arp_request(IpAddress::v4({10, 0, 0, 9})), kNotForUs},
      {"ICMP cut off", with16(icmp(k4), kIp + 2, kIpv4Bytes + 7), kBadIcmp},
      {"ICMP code", with(icmp(k4), kUdp4 + 1, 1), kBadIcmp},
      {"ICMP checksum", with16(icmp(k4), kUdp4 + 2, 0x1234, false), kBadIcmp},
      {"ICMP host unreachable", with(closed_port(k4), kUdp4 + 1, 1), kNotForUs},
      {"ICMP port unreachable, checksum", with16(closed_port(k4), kUdp4 + 2, 0x1234, false), kBadIcmp},
      {"ICMPv6 cut off", with16(icmp(k6), kIp + 4, 7), kBadIcmp},
      {"ICMPv6 code", with(icmp(k6), kUdp6 + 1, 1), kBadIcmp},
      {"ICMPv6 checksum", with16(icmp(k6), kUdp6 + 2, 0x1234, false), kBadIcmp},
      {"ICMPv6 no route", with(closed_port(k6), kUdp6 + 1, 0), kNotForUs},
      {"ICMPv6 port unreachable, checksum", with16(closed_port(k6), kUdp6 + 2, 0x1234, false), kBadIcmp},
      {"ICMPv6 port unreachable to another", with(closed_port(k6), kIp + 39, 9), kNotForUs},
      {"ICMPv6 port unreachable from a group", with(closed_port(k6), kIp + 8, 0xff), kBadIpHeader},
      {"ICMPv6 echo reply", with(icmp(k6), kUdp6, 129), kNotForUs},
      {"ICMPv6 echo to another", with(icmp(k6), kIp + 39, 9), kNotForUs},
      {"ICMPv6 echo from a group", with(icmp(k6), kIp + 8, 0xff), kBadIpHeader},
      {"solicitation of another",
       testing::build_neighbour_solicitation({{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}}), kNotForUs},
      {"solicitation through a router", routed, kBadIcmp},
      {"solicitation of a group", with(solicitation(), kUdp6 + 8, 0xff), kBadIcmp},
      {"solicitation cut off", with16(solicitation(), kIp + 4, 23), kBadIcmp},
      {"solicitation with an empty option", with(solicitation(), kUdp6 + 25, 0), kBadIcmp},
      {"solicitation with an option beyond it", with(solicitation(), kUdp6 + 25, 2), kBadIcmp},
      {"solicitation with half an option", with16(solicitation(), kIp + 4, 28), kBadIcmp},
      {"solicitation checksum", with16(solicitation(), kUdp6 + 2, 0x1234, false), kBadIcmp},
      {"solicitation from us", with(solicitation(), kIp + 23, 1), kBadIpHeader},
  });
  // A probe says it has no address, so it can give no link address either (RFC 4861 7.1.1).
  Bytes probe = solicitation();
  store_ipv6(probe.data() + kIp + 8, {});
  testing::refresh_checksums(probe);
  Bytes unicast_probe = testing::build_neighbour_solicitation(our(k6), true);
  store_ipv6(unicast_probe.data() + kIp + 24, our(k6));
  testing::refresh_checksums(unicast_probe);
  expect_all({
      {"probe with a link address", probe, kBadIcmp},
      {"probe to one", unicast_probe, kBadIcmp},
      {"solicitation of a mapped address", testing::build_neighbour_solicitation(our(k4)), kNotForUs},
  });
}

TEST(ParseFrame, AcceptsUdpOfEveryShape) {
  expect_all({
      {"to broadcast MAC",
       [] {
         auto spec = testing::sample_spec(FrameType::Ping);
         spec.destination_mac = kBroadcastMac;
         return build_frame(spec);
       }(),
       kNone},
      {"no checksum over IPv4", with16(ping(k4), kUdp4 + 6, 0, false), kNone},
      {"Ethernet padding", cut(ping(k4), 300), kNone},
      {"UDP shorter than IP", with16(ping(k4), kUdp4 + 4, 20), kNone},
      {"reserved IPv4 flag", with16(ping(k4), kIp + 6, 0xc000), kNone},
  });
}

TEST(ParseFrame, PriorityTagIsVlanZero) {
  const Bytes frame = with16(ping(k4, 0), 14, 0xe000, false);
  const Datagram got = parse_frame(frame, testing::our_addresses(), false);
  EXPECT_EQ(got.frame_class, FrameClass::kUdp);
  EXPECT_EQ(got.vlan, 0);
  EXPECT_EQ(got.payload_offset, 46);
}

TEST(ParseFrame, TrustsTheNicOnlyForUdp) {
  const auto reason = [](const Bytes& frame) { return parse_frame(frame, testing::our_addresses(), true).reason; };
  EXPECT_EQ(reason(with(ping(k4), kUdp4 + 20, 0xff, false)), kNone);
  EXPECT_EQ(reason(with(ping(k4), kIp + 8, 63, false)), kBadIpChecksum);
  EXPECT_EQ(reason(with16(ping(k6), kUdp6 + 6, 0, false)), kBadUdpChecksum);
  EXPECT_EQ(reason(with16(icmp(k4), kUdp4 + 2, 0x1234, false)), kBadIcmp);
}

TEST(ParseFrame, MissingChecksumLeavesAFullTailSum) {
  auto spec = testing::sample_spec(FrameType::Result);
  Bytes frame = build_frame(spec);
  store_be16(frame.data() + kUdp4 + 6, 0);
  for (const bool checksum_good : {false, true}) {
    const Datagram got = parse_frame(frame, testing::our_addresses(), checksum_good);
    EXPECT_EQ(got.tail_sum, sum_bytes(spec.payload));
    EXPECT_NE(got.tail_sum, 0);
  }
}

TEST(ParseFrame, ControlFramesKeepTheirPlace) {
  struct Sound {
    Bytes frame;
    std::size_t l3, l4;
  };
  const Bytes arp_reply = with16(arp(), kIp + 6, 2, false);
  const IpAddress v6 = our(k6);
  for (const auto& [frame, l3, l4] :
       {Sound{arp(), 14, 0}, Sound{testing::build_arp_request(our(k4), 7), 18, 0}, Sound{arp_reply, 14, 0},
        Sound{icmp(k4), 14, 34}, Sound{testing::build_icmp_echo(k6, 0, 7), 18, 58}, Sound{solicitation(), 14, 54},
        Sound{testing::build_neighbour_solicitation(v6, true, 7), 18, 58}, Sound{closed_port(k4), 14, 34},
        Sound{closed_port(k6), 14, 54}}) {
    const Datagram got = parse_frame(frame, testing::our_addresses(), false);
    EXPECT_EQ(got.frame_class, FrameClass::kControl);
    EXPECT_EQ(name_of(got.reason), "none");
    EXPECT_EQ(got.l3_offset, l3);
    EXPECT_EQ(got.payload_offset, l4);
    EXPECT_EQ(got.vlan, l3 == 18 ? 7 : kNoVlan);
  }
}

}  // namespace
}  // namespace mcplane::wire
