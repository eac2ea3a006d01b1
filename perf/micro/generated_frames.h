// What the benchmarks' inline clients and workers do to a frame in its buffer. Untagged IPv4 only. Any thread.
#pragma once

#include <cstdint>

#include "net/packet.h"
#include "support/frame_builder.h"

namespace mcplane::perf {

inline constexpr std::size_t kDatagramAt = wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes;

inline wire::Header& header_in(const net::Packet& packet) {
  return wire::header_of(packet.bytes().subspan(kDatagramAt));
}

// A SEND like `frame`, of another slot and sequence, in an empty packet.
void write_send(net::Packet& packet, const testing::Bytes& frame, std::uint16_t slot, std::uint32_t sequence);

// A ROUTE becomes its RESULT in its own buffer, as a worker on the same wire would answer it: it echoes the ROUTE's
// payload; the table is cut out by moving the header up against the payload.
void turn_round(net::Packet& packet);

}  // namespace mcplane::perf
