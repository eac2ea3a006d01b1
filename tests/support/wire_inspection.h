// Everything the project's receivers do with bytes from a peer, for edits and fuzzing: each function takes any
// bytes, reads all that src/wire lets it read, and CHECKs what must hold of every result.
#pragma once

#include <cstddef>
#include <span>

namespace mcplane::testing {

// parse_frame, with and without the NIC's word for the checksum, then inspect_datagram or inspect_neighbour.
// The frame starts 4-byte aligned, as in a packet buffer.
void inspect_frame(std::span<const std::byte> frame);
// check_datagram and the readers of its type. The datagram starts 2 mod 4.
void inspect_datagram(std::span<const std::byte> datagram);
void inspect_neighbour(std::span<const std::byte> frame);
void inspect_route_table(std::span<const std::byte> table);
// As a subscription, and as a publication.
void inspect_topics(std::span<const std::byte> table);
void inspect_hello(std::span<const std::byte> table);
void inspect_payload(std::span<const std::byte> payload);

}  // namespace mcplane::testing
