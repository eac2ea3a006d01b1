// An ICMP message quotes the packet that it is about from its IP header on; ours have neither options nor extensions.
#include "wire/unreachable.h"

#include <cstring>

#include "wire/header.h"
#include "wire/layout.h"

namespace mcplane::wire {

std::optional<ClosedPort> read_closed_port(std::span<const std::byte> frame, const LocalAddresses& local) noexcept {
  const Datagram datagram = parse_frame(frame, local, false);
  // An ARP frame has no destination address.
  if (datagram.frame_class != FrameClass::kControl || datagram.payload_offset == 0) return std::nullopt;
  const bool v4 = datagram.destination.is_v4();
  const std::byte* const message = frame.data() + datagram.payload_offset;
  const std::size_t ip_bytes = v4 ? kIpv4Bytes : kIpv6Bytes;
  if (!is_port_unreachable(v4, load_u8(message), load_u8(message + 1)) ||
      datagram.payload_length < kIcmpBytes + ip_bytes + kUdpBytes + kLeadBytes)
    return std::nullopt;

  const std::byte* const ip = message + kIcmpBytes;
  const std::byte* const udp = ip + ip_bytes;
  const IpAddress source = v4 ? load_ipv4(ip + 12) : load_ipv6(ip + 8);
  const IpAddress destination = v4 ? load_ipv4(ip + 16) : load_ipv6(ip + 24);
  if (load_u8(ip + (v4 ? 9 : 6)) != kProtocolUdp || source != datagram.destination || destination != datagram.source.ip)
    return std::nullopt;

  const std::byte* const lead = udp + kUdpBytes;
  Header header;
  std::memcpy(&header, lead + kMagicBytes, sizeof header);
  const bool is_route = std::memcmp(lead, kMagic.data(), kMagicBytes) == 0 && header.version() == kVersion &&
                        header.type() == FrameType::Route;
  if (!is_route) return std::nullopt;
  return ClosedPort{
      .peer = {destination, load_be16(udp + 2)}, .boot_id = header.boot_id(), .worker = {header.worker_session()}};
}

}  // namespace mcplane::wire
