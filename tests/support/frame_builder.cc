// Checksums here are added byte by byte on purpose: a fault in wire/checksum.cc must not cancel itself out.
#include "support/frame_builder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "wire/layout.h"
#include "wire/payload.h"
#include "wire/registration.h"
#include "wire/route_table.h"

namespace mcplane::testing {
namespace {

using wire::FrameType;

constexpr std::size_t kSampleIpBytes = 1500;

std::uint32_t naive_sum(std::span<const std::byte> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 ? 0 : 8);
  return sum;
}

std::uint16_t naive_checksum(std::uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// Offset and length of the IPv4 or IPv6 header; length 0 when the frame has none, or not all of it.
struct IpHeader {
  std::size_t offset = 0, length = 0;
};
IpHeader find_ip_header(std::span<const std::byte> frame) {
  IpHeader header{wire::kEthernetBytes, 0};
  if (frame.size() < header.offset + wire::kVlanBytes) return header;
  if (wire::load_be16(frame.data() + 12) == wire::kEtherVlan) header.offset += wire::kVlanBytes;
  const std::uint16_t type = wire::load_be16(frame.data() + header.offset - 2);
  const std::size_t length = type == wire::kEtherIpv4   ? wire::kIpv4Bytes
                             : type == wire::kEtherIpv6 ? wire::kIpv6Bytes
                                                        : 0;
  if (frame.size() >= header.offset + length) header.length = length;
  return header;
}

// Ethernet and IP headers of an IP payload that is 0 yet; returns the frame and where that payload starts.
std::pair<Bytes, std::size_t> build_ip(const FrameSpec& spec, std::uint8_t protocol, std::size_t length,
                                       std::uint8_t hop_limit = wire::kHopLimit) {
  Bytes frame(wire::kLowerBytesMax + length);
  const bool v4 = spec.destination.ip.is_v4();
  const std::size_t l3 = wire::write_ethernet(frame.data(), spec.destination_mac, spec.source_mac, spec.vlan,
                                              v4 ? wire::kEtherIpv4 : wire::kEtherIpv6);
  std::byte* const ip = frame.data() + l3;
  const std::size_t ip_bytes = v4 ? wire::kIpv4Bytes : wire::kIpv6Bytes;
  if (v4) {
    wire::write_ipv4(ip, spec.source.ip, spec.destination.ip, protocol);
    wire::store_be16(ip + 2, static_cast<std::uint16_t>(ip_bytes + length));
  } else {
    wire::write_ipv6(ip, spec.source.ip, spec.destination.ip, protocol, hop_limit);
    wire::store_be16(ip + 4, static_cast<std::uint16_t>(length));
  }
  frame.resize(l3 + ip_bytes + length);
  return {std::move(frame), l3 + ip_bytes};
}

void append(Bytes& to, std::span<const std::byte> bytes) {
  const std::size_t at = to.size();
  to.resize(at + bytes.size());
  std::ranges::copy(bytes, to.begin() + static_cast<std::ptrdiff_t>(at));
}

bool has_cookie(FrameType type) { return type == FrameType::Hello || type == FrameType::Retry; }

}  // namespace

const wire::LocalAddresses& our_addresses() {
  static const wire::LocalAddresses addresses = [] {
    wire::LocalAddresses local;
    local.ips[0] = {our_endpoint(Family::kIpv4).ip, 24};
    local.ips[1] = {our_endpoint(Family::kIpv6).ip, 64};
    local.count = 2;
    local.mac = kOurMac;
    return local;
  }();
  return addresses;
}

wire::Endpoint our_endpoint(Family family, std::uint16_t port) {
  const wire::IpAddress v6{{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return {family == Family::kIpv4 ? wire::IpAddress::v4({10, 0, 0, 1}) : v6, port};
}

wire::Endpoint peer_endpoint(Family family, std::uint16_t port) {
  wire::Endpoint endpoint = our_endpoint(family, port);
  endpoint.ip.bytes[15] = 2;
  return endpoint;
}

Bytes build_datagram(const FrameSpec& spec) {
  // Two spare bytes in front put the header where header_of() may read it.
  Bytes bytes(2 + wire::kLeadBytes);
  if (has_cookie(spec.type)) {
    const wire::fb::Cookie cookie = spec.cookie.value_or(wire::fb::Cookie{});
    append(bytes, std::as_bytes(std::span(&cookie, 1)));
  }
  append(bytes, spec.table);
  append(bytes, spec.payload);
  wire::Header& header = wire::begin_datagram(std::span(bytes).subspan(2), spec.type);
  header.mutate_boot_id(kSampleBoot);
  if (!has_cookie(spec.type)) header.mutate_session(kSampleSession);
  header.mutate_ttl_ms(1000);
  header.mutate_attempt(1);
  header.mutate_table_length(static_cast<std::uint16_t>(spec.table.size()));
  header.mutate_message_length(static_cast<std::uint32_t>(bytes.size() - 2 - wire::kLeadBytes));
  if (spec.edit) spec.edit(header);
  const auto datagram = std::span(bytes).subspan(2);
  return {datagram.begin(), datagram.end()};
}

Bytes build_frame(const FrameSpec& spec) { return build_udp_frame(spec, build_datagram(spec)); }

Bytes build_udp_frame(const FrameSpec& spec, std::span<const std::byte> udp_payload) {
  auto [frame, at] = build_ip(spec, wire::kProtocolUdp, wire::kUdpBytes + udp_payload.size());
  wire::store_be16(frame.data() + at, spec.source.port);
  wire::store_be16(frame.data() + at + 2, spec.destination.port);
  wire::store_be16(frame.data() + at + 4, static_cast<std::uint16_t>(wire::kUdpBytes + udp_payload.size()));
  std::ranges::copy(udp_payload, frame.begin() + static_cast<std::ptrdiff_t>(at + wire::kUdpBytes));
  refresh_checksums(frame);
  return frame;
}

namespace {

// A Subscription, or a Publication, which begins alike.
Bytes topic_table() {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(wire::fb::CreatePublicationDirect(builder, "agents.one"));
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

FrameSpec sample_spec(FrameType type, Family family, std::uint16_t vlan) {
  FrameSpec spec;
  spec.source = peer_endpoint(family);
  spec.destination = our_endpoint(family);
  spec.vlan = vlan;
  spec.type = type;
  if (type == FrameType::Send || type == FrameType::Route) {
    const std::array<std::string, 1> tags = {"gpu"};
    spec.table = wire::write_route_table("generate", "llama", tags, "task-1");
    spec.payload = wire::write_task_payload({"hello", {{"user", "hi"}}, {{"temperature", "0"}}});
  } else if (type == FrameType::Result || type == FrameType::Deliver) {
    spec.payload = wire::write_answer("hello to you");
  } else if (type == FrameType::Subscribe || type == FrameType::Publish || type == FrameType::Event) {
    spec.table = topic_table();
  } else if (type == FrameType::Hello) {
    wire::HelloBody hello;
    hello.service = wire::Service::kWorker;
    hello.slots = 4;
    hello.name = "worker-1";
    hello.actions = {"generate"};
    spec.table = wire::write_hello(hello);
    const std::size_t ip_bytes = family == Family::kIpv4 ? wire::kIpv4Bytes : wire::kIpv6Bytes;
    const std::size_t used = ip_bytes + wire::kUdpBytes + wire::kLeadBytes + wire::kCookieBytes + spec.table.size();
    spec.payload.resize(kSampleIpBytes - used);
  }
  return spec;
}

std::span<const FrameType> all_types() { return std::span(wire::fb::EnumValuesFrameType()).subspan(1); }

Bytes build_arp(const ArpSpec& spec) {
  Bytes frame(wire::kEthernetBytes + wire::kVlanBytes + wire::kArpBytes);
  const std::size_t l3 =
      wire::write_ethernet(frame.data(), spec.destination_mac, spec.sender_mac, spec.vlan, wire::kEtherArp);
  frame.resize(l3 + wire::kArpBytes);
  constexpr std::array<std::uint8_t, 6> kHead = {0, 1, 8, 0, 6, 4};
  std::byte* const packet = frame.data() + l3;
  std::memcpy(packet, kHead.data(), kHead.size());
  wire::store_be16(packet + 6, spec.operation);
  wire::store_mac(packet + 8, spec.sender_mac);
  wire::store_ipv4(packet + 14, spec.sender);
  wire::store_ipv4(packet + 24, spec.target);
  return frame;
}

Bytes build_arp_request(const wire::IpAddress& target, std::uint16_t vlan) {
  return build_arp({.operation = 1, .destination_mac = wire::kBroadcastMac, .target = target, .vlan = vlan});
}

Bytes build_gratuitous_arp(const wire::MacAddress& mac, const wire::IpAddress& ip, std::uint16_t vlan) {
  return build_arp({.operation = 1,
                    .sender_mac = mac,
                    .destination_mac = wire::kBroadcastMac,
                    .sender = ip,
                    .target = ip,
                    .vlan = vlan});
}

Bytes build_neighbour_advertisement(const AdvertisementSpec& given) {
  FrameSpec spec = sample_spec(FrameType::Ping, Family::kIpv6, given.vlan);
  spec.source.ip = given.target;
  spec.destination.ip = given.destination;
  if (given.destination == wire::kAllNodes) spec.destination_mac = {0x33, 0x33, 0, 0, 0, 1};
  if (given.mac) spec.source_mac = *given.mac;
  const std::size_t length = wire::kNeighbourBytes + (given.mac ? wire::kLinkOptionBytes : 0);
  auto [frame, at] = build_ip(spec, wire::kProtocolIcmpv6, length, wire::kNeighbourHopLimit);
  std::byte* const message = frame.data() + at;
  message[0] = std::byte{wire::kNeighbourAdvertisement};
  message[4] =
      static_cast<std::byte>((given.solicited ? wire::kSolicited : 0) | (given.overrides ? wire::kOverride : 0));
  wire::store_ipv6(message + 8, given.target);
  if (given.mac) {
    message[24] = std::byte{wire::kTargetLinkAddress};
    message[25] = std::byte{1};
    wire::store_mac(message + 26, *given.mac);
  }
  refresh_checksums(frame);
  return frame;
}

Bytes build_icmp_echo(Family family, std::size_t data_bytes, std::uint16_t vlan) {
  const FrameSpec spec = sample_spec(FrameType::Ping, family, vlan);
  const bool v4 = family == Family::kIpv4;
  auto [frame, at] = build_ip(spec, v4 ? wire::kProtocolIcmp : wire::kProtocolIcmpv6, wire::kIcmpBytes + data_bytes);
  frame[at] = std::byte{v4 ? wire::kIcmpEchoRequest : wire::kIcmpv6EchoRequest};
  for (std::size_t i = at + 4; i < frame.size(); ++i) frame[i] = static_cast<std::byte>(i);
  refresh_checksums(frame);
  return frame;
}

FrameSpec sent_route_spec(Family family, std::uint16_t vlan) {
  FrameSpec spec = sample_spec(FrameType::Route, family, vlan);
  std::swap(spec.source, spec.destination);
  std::swap(spec.source_mac, spec.destination_mac);
  return spec;
}

Bytes build_sent_route(Family family, std::uint16_t vlan, SessionId worker, std::uint32_t boot_id) {
  FrameSpec spec = sent_route_spec(family, vlan);
  spec.edit = [&](wire::Header& header) {
    header.mutate_worker_session(worker.value);
    header.mutate_boot_id(boot_id);
  };
  return build_frame(spec);
}

Bytes build_port_unreachable(std::span<const std::byte> sent) {
  const auto [l3, ip_bytes] = find_ip_header(sent);
  const bool v4 = ip_bytes == wire::kIpv4Bytes;
  const std::byte* const ip = sent.data() + l3;
  FrameSpec spec;
  spec.source_mac = wire::load_mac(sent.data());
  spec.destination_mac = wire::load_mac(sent.data() + 6);
  spec.source.ip = v4 ? wire::load_ipv4(ip + 16) : wire::load_ipv6(ip + 24);
  spec.destination.ip = v4 ? wire::load_ipv4(ip + 12) : wire::load_ipv6(ip + 8);
  if (l3 > wire::kEthernetBytes) spec.vlan = wire::load_be16(sent.data() + wire::kEthernetBytes);
  const std::size_t smallest = v4 ? 576 : 1280;
  const auto quoted = sent.subspan(l3, std::min(sent.size() - l3, smallest - ip_bytes - wire::kIcmpBytes));
  auto [frame, at] = build_ip(spec, v4 ? wire::kProtocolIcmp : wire::kProtocolIcmpv6, wire::kIcmpBytes + quoted.size());
  frame[at] = std::byte{v4 ? wire::kIcmpUnreachable : wire::kIcmpv6Unreachable};
  frame[at + 1] = std::byte{v4 ? std::uint8_t{3} : std::uint8_t{4}};
  std::ranges::copy(quoted, frame.begin() + static_cast<std::ptrdiff_t>(at + wire::kIcmpBytes));
  refresh_checksums(frame);
  return frame;
}

Bytes build_neighbour_solicitation(const wire::IpAddress& target, bool probe, std::uint16_t vlan) {
  FrameSpec spec = sample_spec(FrameType::Ping, Family::kIpv6, vlan);
  spec.destination_mac = {0x33, 0x33, 0xff, target.bytes[13], target.bytes[14], target.bytes[15]};
  spec.destination.ip = wire::solicited_node_ip(target);
  if (probe) spec.source.ip = {};
  const std::size_t length = wire::kNeighbourBytes + (probe ? 0 : wire::kLinkOptionBytes);
  auto [frame, at] = build_ip(spec, wire::kProtocolIcmpv6, length, wire::kNeighbourHopLimit);
  std::byte* const message = frame.data() + at;
  message[0] = std::byte{wire::kNeighbourSolicitation};
  wire::store_ipv6(message + 8, target);
  if (!probe) {
    message[24] = message[25] = std::byte{1};  // source link-layer address, 8 bytes
    wire::store_mac(message + 26, kPeerMac);
  }
  refresh_checksums(frame);
  return frame;
}

void refresh_checksums(std::span<std::byte> frame) {
  const auto [l3, ip_bytes] = find_ip_header(frame);
  if (ip_bytes == 0) return;
  std::byte* const ip = frame.data() + l3;
  const bool v4 = ip_bytes == wire::kIpv4Bytes;
  if (v4) {
    wire::store_be16(ip + 10, 0);
    wire::store_be16(ip + 10, naive_checksum(naive_sum({ip, wire::kIpv4Bytes})));
  }
  const std::size_t stated =
      v4 ? std::max<std::size_t>(wire::load_be16(ip + 2), ip_bytes) - ip_bytes : wire::load_be16(ip + 4);
  const auto l4 = frame.subspan(l3 + ip_bytes).first(std::min(stated, frame.size() - l3 - ip_bytes));
  const std::uint8_t protocol = wire::load_u8(ip + (v4 ? 9 : 6));
  const bool udp = protocol == wire::kProtocolUdp;
  if (l4.size() < wire::kUdpBytes) return;
  std::byte* const field = l4.data() + (udp ? 6 : 2);
  wire::store_be16(field, 0);
  // A UDP length that differs from IP's covers that much.
  const std::size_t covered = udp ? std::min<std::size_t>(wire::load_be16(l4.data() + 4), l4.size()) : l4.size();
  std::uint32_t sum = naive_sum(l4.first(covered));
  if (protocol != wire::kProtocolIcmp)
    sum += naive_sum({ip + (v4 ? 12 : 8), v4 ? 8U : 32U}) + protocol + static_cast<std::uint32_t>(covered);
  const std::uint16_t checksum = naive_checksum(sum);
  wire::store_be16(field, udp && checksum == 0 ? std::uint16_t{0xffff} : checksum);
}

Parsed parse(std::span<const std::byte> frame, const wire::LocalAddresses& local) {
  Parsed parsed;
  parsed.lower = wire::parse_frame(frame, local, false);
  parsed.reason = parsed.lower.reason;
  if (parsed.lower.frame_class == wire::FrameClass::kUdp) {
    parsed.datagram = frame.subspan(parsed.lower.payload_offset, parsed.lower.payload_length);
    parsed.reason = wire::check_datagram(parsed.datagram);
  }
  return parsed;
}

Bytes to_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace mcplane::testing
