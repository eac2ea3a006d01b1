// Faults below MCP.
#include "unit/dataplane/malformed_cases.h"
#include "wire/layout.h"

namespace mcplane::dataplane {
namespace {

using testing::Bytes;
using testing::Family;
using testing::FrameSpec;
using World = MalformedWorld;

Bytes ping(World& world) { return build_frame(world.rig.spec_of(*world.client, wire::FrameType::Ping)); }

// A PING with one byte set; checksums right again if `refresh`.
std::function<Bytes(World&)> ping_with(std::size_t at, std::uint8_t value, bool refresh = true) {
  return [=](World& world) {
    Bytes frame = ping(world);
    frame[at] = std::byte{value};
    if (refresh) testing::refresh_checksums(frame);
    return frame;
  };
}

std::function<Bytes(World&)> ipv6_ping_with(std::size_t at, std::uint8_t value) {
  return [=](World&) {
    Bytes frame = build_frame(testing::sample_spec(wire::FrameType::Ping, Family::kIpv6));
    frame[at] = std::byte{value};
    return frame;
  };
}

Bytes cut(Bytes frame, std::size_t length) {
  frame.resize(length);
  return frame;
}

Bytes with(Bytes frame, std::size_t at, std::uint8_t value) {
  frame[at] = std::byte{value};
  return frame;
}

constexpr std::size_t kIp = wire::kEthernetBytes, kUdp = kIp + wire::kIpv4Bytes, kUdp6 = kIp + wire::kIpv6Bytes;

}  // namespace

std::vector<MalformedCase> ethernet_and_ip_cases() {
  const wire::IpAddress us = testing::our_endpoint(Family::kIpv4).ip;
  return {
      {"empty frame", DropReason::kShortFrame, {}, [](World&) { return Bytes{}; }, {}},
      {"half an Ethernet header", DropReason::kShortFrame, {}, [](World& w) { return cut(ping(w), 7); }, {}},
      {"half an IP header", DropReason::kShortFrame, {}, [](World& w) { return cut(ping(w), kIp + 9); }, {}},
      {"another host's MAC", DropReason::kNotForUs, {}, ping_with(5, 0x77), {}},
      {"a group MAC as source", DropReason::kNotForUs, {}, ping_with(6, 0x03), {}},
      {"another host's address", DropReason::kNotForUs, {}, ping_with(kIp + 19, 0x77), {}},
      {"an unknown EtherType", DropReason::kUnknownEtherType, {}, ping_with(12, 0x12, false), {}},
      {"two VLAN tags",
       DropReason::kNestedVlan,
       {},
       [](World& w) {
         FrameSpec spec = w.rig.spec_of(*w.client, wire::FrameType::Ping);
         spec.vlan = 5;
         Bytes frame = build_frame(spec);
         wire::store_be16(frame.data() + 16, wire::kEtherVlan);
         return frame;
       },
       {}},
      {"several buffers", DropReason::kChainedBuffer, {}, ping, [](net::Packet& p) { p.set_chained(); }},
      {"IP options", DropReason::kBadIpHeader, {}, ping_with(kIp, 0x46), {}},
      {"IP version 5 in IPv6", DropReason::kBadIpHeader, {}, ipv6_ping_with(kIp, 0x50), {}},
      {"an IP length beyond the frame", DropReason::kBadIpHeader, {}, ping_with(kIp + 2, 0x07), {}},
      {"our own address as source", DropReason::kBadIpHeader, {}, ping_with(kIp + 15, us.bytes[15]), {}},
      {"a wrong IP checksum", DropReason::kBadIpChecksum, {}, ping_with(kIp + 8, 0x11, false), {}},
      {"a fragment of an IP packet", DropReason::kIpFragment, {}, ping_with(kIp + 6, 0x20), {}},
      {"an IPv6 fragment header", DropReason::kIpFragment, {}, ipv6_ping_with(kIp + 6, 44), {}},
      {"an IPv6 hop-by-hop header", DropReason::kIpExtension, {}, ipv6_ping_with(kIp + 6, 0), {}},
      {"TCP", DropReason::kUnknownProtocol, {}, ping_with(kIp + 9, 6), {}},
      {"a UDP length under its header", DropReason::kBadUdpLength, {}, ping_with(kUdp + 5, 7), {}},
      {"a UDP length beyond the packet", DropReason::kBadUdpLength, {}, ping_with(kUdp + 4, 2), {}},
      {"a wrong UDP checksum", DropReason::kBadUdpChecksum, {}, ping_with(kUdp + 8 + 30, 0x55, false), {}},
      {"a UDP checksum the NIC found wrong",
       DropReason::kBadUdpChecksum,
       {},
       ping,
       [](net::Packet& p) { p.set_checksum_bad(); }},
      {"no UDP checksum over IPv6",
       DropReason::kBadUdpChecksum,
       {},
       [](World&) {
         Bytes frame = build_frame(testing::sample_spec(wire::FrameType::Ping, Family::kIpv6));
         return with(with(std::move(frame), kUdp6 + 6, 0), kUdp6 + 7, 0);
       },
       {}},
      {"a port that is no shard's",
       DropReason::kUnknownPort,
       {},
       [](World& w) {
         FrameSpec spec = w.rig.spec_of(*w.client, wire::FrameType::Ping);
         spec.destination.port = testing::kOurPort - 1;
         return build_frame(spec);
       },
       {}},
      {"an ARP that asks nothing",
       DropReason::kBadArp,
       {},
       [us](World&) { return with(testing::build_arp_request(us), kIp + 7, 9); },
       {}},
      {"an ARP between others",
       DropReason::kNotForUs,
       {},
       [us](World&) { return with(testing::build_arp_request(us), kIp + 27, 0x77); },
       {}},
      {"an ARP from a group",
       DropReason::kBadArp,
       {},
       [](World&) { return with(testing::build_gratuitous_arp(testing::kPeerMac), kIp + 8, 0x03); },
       {}},
      {"an advertisement through a router",
       DropReason::kBadIcmp,
       {},
       [](World&) { return with(testing::build_neighbour_advertisement(), kIp + 7, 254); },
       {}},
      {"an advertisement to all that answers us",
       DropReason::kBadIcmp,
       {},
       [](World&) { return testing::build_neighbour_advertisement({.destination = wire::kAllNodes}); },
       {}},
      {"an advertisement with an empty option",
       DropReason::kBadIcmp,
       {},
       [](World&) {
         Bytes frame = with(testing::build_neighbour_advertisement(), kIp + wire::kIpv6Bytes + 25, 0);
         testing::refresh_checksums(frame);
         return frame;
       },
       {}},
      {"a wrong ICMP checksum",
       DropReason::kBadIcmp,
       {},
       [](World&) { return with(testing::build_icmp_echo(Family::kIpv4, 20), kUdp + 12, 0xee); },
       {}},
  };
}

}  // namespace mcplane::dataplane
