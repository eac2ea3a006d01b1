// Whole Ethernet frames for tests: MCP of any type over IPv4 or IPv6, tagged or not, with right checksums,
// and ARP, ICMP and neighbour discovery. A FrameSpec that is only default-made gives a sound PING; sample_spec()
// gives a sound frame of any type, to be broken by the test. Frames are vectors, so they start 16-byte aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "wire/datagram.h"
#include "wire/header.h"

namespace mcplane::testing {

using Bytes = std::vector<std::byte>;

enum class Family : std::uint8_t { kIpv4, kIpv6 };

inline constexpr wire::MacAddress kOurMac = {0x02, 0, 0, 0, 0, 0x01};
inline constexpr wire::MacAddress kPeerMac = {0x02, 0, 0, 0, 0, 0x02};
inline constexpr std::uint16_t kOurPort = 4000, kPeerPort = 40000;
inline constexpr std::uint32_t kSampleSession = 0x00100001, kSampleBoot = 0x0b007001;

// 10.0.0.1 and fd00::1 with kOurMac: who the appliance is in tests.
const wire::LocalAddresses& our_addresses();
wire::Endpoint our_endpoint(Family family, std::uint16_t port = kOurPort);    // 10.0.0.1, fd00::1
wire::Endpoint peer_endpoint(Family family, std::uint16_t port = kPeerPort);  // 10.0.0.2, fd00::2

struct FrameSpec {
  wire::MacAddress source_mac = kPeerMac, destination_mac = kOurMac;
  wire::Endpoint source = peer_endpoint(Family::kIpv4), destination = our_endpoint(Family::kIpv4);
  std::uint16_t vlan = wire::kNoVlan;
  wire::FrameType type = wire::FrameType::Ping;
  std::optional<wire::fb::Cookie> cookie;  // HELLO and RETRY get a zero one when it is not set
  Bytes table, payload;                    // payload: also a Welcome, or a HELLO's padding
  // Called last, when version, type, boot_id, session, ttl_ms, attempt, table_length and message_length are set.
  std::function<void(wire::Header&)> edit;
};

// Magic, header, cookie, table and payload of a spec, without lower headers. Starts 16-byte aligned, so it may not
// be given to header_of(): parse the frame instead.
Bytes build_datagram(const FrameSpec& spec);
Bytes build_frame(const FrameSpec& spec);
// The addresses and tag of `spec` around any UDP payload.
Bytes build_udp_frame(const FrameSpec& spec, std::span<const std::byte> udp_payload);

// A sound spec of any type 1-18: SEND and ROUTE with a table and a payload, HELLO padded to 1500 bytes of IP.
FrameSpec sample_spec(wire::FrameType type, Family family = Family::kIpv4, std::uint16_t vlan = wire::kNoVlan);
// Every type, in order, for loops.
std::span<const wire::FrameType> all_types();

// Who has `target`? Sent by peer_endpoint(kIpv4) to everyone.
Bytes build_arp_request(const wire::IpAddress& target, std::uint16_t vlan = wire::kNoVlan);
// Any ARP; as it is made, the peer answers us.
struct ArpSpec {
  std::uint16_t operation = 2;  // 1: request
  wire::MacAddress sender_mac = kPeerMac, destination_mac = kOurMac;
  wire::IpAddress sender = peer_endpoint(Family::kIpv4).ip, target = our_endpoint(Family::kIpv4).ip;
  std::uint16_t vlan = wire::kNoVlan;
};
Bytes build_arp(const ArpSpec& spec);
// The peer, or who is named, tells everyone.
Bytes build_gratuitous_arp(const wire::MacAddress& mac, const wire::IpAddress& ip = peer_endpoint(Family::kIpv4).ip,
                           std::uint16_t vlan = wire::kNoVlan);
// A neighbour advertisement; as it is made, the peer answers us.
struct AdvertisementSpec {
  wire::IpAddress target = peer_endpoint(Family::kIpv6).ip, destination = our_endpoint(Family::kIpv6).ip;
  std::optional<wire::MacAddress> mac = kPeerMac;  // nullopt: no option
  bool solicited = true, overrides = true;
  std::uint16_t vlan = wire::kNoVlan;
};
Bytes build_neighbour_advertisement(const AdvertisementSpec& spec = {});
// From peer_endpoint(family) to ours, with that much data.
Bytes build_icmp_echo(Family family, std::size_t data_bytes, std::uint16_t vlan = wire::kNoVlan);
// A ROUTE of ours to peer_endpoint(family).
FrameSpec sent_route_spec(Family family, std::uint16_t vlan = wire::kNoVlan);
// The same, for the session kSampleSession as its worker's.
Bytes build_sent_route(Family family, std::uint16_t vlan = wire::kNoVlan, SessionId worker = {kSampleSession},
                       std::uint32_t boot_id = kSampleBoot);
// What the host that `sent`, a whole UDP frame, went to says of it when nobody listens there: as Linux does, it quotes
// as much as fits the smallest packets of its IP version.
Bytes build_port_unreachable(std::span<const std::byte> sent);
// From fd00::2, or as an address probe from ::, to the solicited-node group of `target`.
Bytes build_neighbour_solicitation(const wire::IpAddress& target, bool probe = false,
                                   std::uint16_t vlan = wire::kNoVlan);

// Writes the IPv4 header, UDP, ICMP and ICMPv6 checksums of a frame whose bytes were edited. Any bytes will do:
// lengths beyond the frame are cut to it, and what is no IP is left alone.
void refresh_checksums(std::span<std::byte> frame);

// What the dataplane makes of a frame. `reason` is parse_frame's, or if it is UDP, check_datagram's.
struct Parsed {
  wire::Datagram lower;
  DropReason reason = DropReason::kNone;
  std::span<const std::byte> datagram;  // the UDP payload, in the frame that was given
  const wire::Header& header() const { return wire::header_of(datagram); }
  std::span<const std::byte> table() const { return wire::table_of(datagram); }
  std::span<const std::byte> payload() const { return wire::payload_of(datagram); }
};
Parsed parse(std::span<const std::byte> frame, const wire::LocalAddresses& local = our_addresses());

Bytes to_bytes(std::string_view text);

}  // namespace mcplane::testing
