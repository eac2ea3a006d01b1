// ARP, ICMP echo and IPv6 neighbour discovery: the frames a host must answer to be reachable, and those it asks with
// and learns from to reach others. What is written are whole Ethernet frames. What is read passed parse_frame() as
// kControl, yet is parsed defensively. Pure; the control thread calls it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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

// "Who has `target`?", asked from `source` of ours, both of one family.
struct Question {
  IpAddress target, source;
  MacAddress source_mac{};
  std::uint16_t vlan = kNoVlan;
  std::optional<MacAddress> to{};  // where the target was last; nullopt: everyone is asked
};
// Writes an ARP request or a neighbour solicitation with our link address; returns its length, 0 without room.
std::size_t ask(const Question& question, std::span<std::byte> frame) noexcept;

// What a neighbour says of itself, by ARP or neighbour discovery.
struct NeighbourClaim {
  IpAddress ip;
  std::optional<MacAddress> mac;  // a host's: neither a group's nor ours; only an advertisement may come without
  std::uint16_t vlan = kNoVlan;
  bool solicited = false;  // it answers us; otherwise it asks us or speaks unasked
  bool overrides = false;  // it holds against what is known; an advertisement may say no (a proxy's, an anycast's)
};
// nullopt when the frame tells nothing of its sender: an echo, an address probe, a link address nobody can have.
std::optional<NeighbourClaim> read_neighbour_claim(std::span<const std::byte> frame,
                                                   const LocalAddresses& local) noexcept;

// The solicited-node multicast MAC of an IPv6 address (RFC 4291 2.7.1, RFC 2464 7).
MacAddress solicited_node_mac(const IpAddress& ip) noexcept;

}  // namespace mcplane::wire
