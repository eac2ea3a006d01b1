// The one template seam: what the core loop asks of a NIC queue. Each call is per burst, never per packet.
// What a NIC may offer besides is in net/upcoming.h.
// Implementations: net/dpdk/port.h (any DPDK port) and net/memory_nic.h (tests, simulation, benchmarks).
#pragma once

#include <concepts>
#include <cstdint>
#include <span>

#include "net/packet.h"

namespace mcplane::net {

// One RX and one TX queue of one port, used by one thread.
//   rx_burst: fills the front of the span; returns how many. The caller owns those packets.
//   tx_burst: takes the front packets; returns how many were taken. The caller keeps the rest.
//   allocate: fills the whole span with empty packets (length 0, full headroom), or none: false.
//   free:     takes every packet with a buffer back, and its share of a tail; null buffers are skipped.
//   share:    so many packets more have all of this one as their tail, and each holds its buffer until it is sent or
//             freed. This one's holder does too, and changes it no more. Told before any of them is sent or freed; of
//             one buffer at most 32,767 times.
//   tail_of:  the bytes of a packet's tail; none without one.
template <class T>
concept Nic = requires(T nic, std::span<Packet> packets, const Packet& packet) {
  { nic.rx_burst(packets) }
  noexcept->std::same_as<std::uint16_t>;
  { nic.tx_burst(packets) }
  noexcept->std::same_as<std::uint16_t>;
  { nic.allocate(packets) }
  noexcept->std::same_as<bool>;
  { nic.free(packets) }
  noexcept->std::same_as<void>;
  { nic.share(packet, std::uint16_t{}) }
  noexcept->std::same_as<void>;
  { T::tail_of(packet) }
  noexcept->std::same_as<std::span<const std::byte>>;
};

inline constexpr std::uint16_t kBurstMax = 64;
// Bytes kept free before a received frame. 128 puts the MCP header on a 4-byte boundary.
inline constexpr std::uint16_t kHeadroomBytes = 128;

}  // namespace mcplane::net
