// The one template seam: what the core loop asks of a NIC queue. Each call is per burst, never per packet.
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
//   free:     takes every packet with a buffer back; null buffers are skipped.
template <class T>
concept Nic = requires(T nic, std::span<Packet> packets) {
  { nic.rx_burst(packets) }
  noexcept->std::same_as<std::uint16_t>;
  { nic.tx_burst(packets) }
  noexcept->std::same_as<std::uint16_t>;
  { nic.allocate(packets) }
  noexcept->std::same_as<bool>;
  { nic.free(packets) }
  noexcept->std::same_as<void>;
};

inline constexpr std::uint16_t kBurstMax = 64;
// Bytes kept free before a received frame. 128 puts the MCP header on a 4-byte boundary.
inline constexpr std::uint16_t kHeadroomBytes = 128;

}  // namespace mcplane::net
