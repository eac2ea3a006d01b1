// ARP, ICMP echo and IPv6 neighbour discovery: the frames a host must answer to be reachable.
// Answers are whole Ethernet frames. The input passed parse_frame() as kControl, yet is parsed defensively.
// Pure; the control thread calls it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/datagram.h"

namespace mcplane::wire {

// Writes the answer to an ARP request, ICMP or ICMPv6 echo request, or neighbour solicitation for one of our
// addresses into `answer` (at least as long as `frame` + 32); returns its length, 0 when none is due.
// VLAN tags are kept. Echo answers carry the request's data, checksums are computed in full.
std::size_t answer_neighbour_frame(std::span<const std::byte> frame, const LocalAddresses& local,
                                   std::span<std::byte> answer) noexcept;

// Writes a gratuitous ARP (IPv4) or unsolicited neighbour advertisement (IPv6) for `ip`; returns its length.
std::size_t announce(const IpAddress& ip, const MacAddress& mac, std::span<std::byte> frame) noexcept;

// The solicited-node multicast MAC of an IPv6 address (RFC 4291 2.7.1, RFC 2464 7).
MacAddress solicited_node_mac(const IpAddress& ip) noexcept;

}  // namespace mcplane::wire
