// What the benchmarks' inline clients and workers do to a frame in its buffer. Untagged IPv4 only. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/packet.h"
#include "support/frame_builder.h"

namespace mcplane::perf {

inline constexpr std::size_t kDatagramAt = wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes;

inline wire::Header& header_in(const net::Packet& packet) {
  return wire::header_of(packet.bytes().subspan(kDatagramAt));
}

// Who speaks, as the bytes lie in a frame.
struct PeerAddress {
  wire::MacAddress mac{};
  std::array<std::byte, 4> ip{};
  std::array<std::byte, 2> port{};
};
struct ClientAddress {
  PeerAddress from;
  std::uint32_t session = 0;
};
ClientAddress client_address(const testing::Bytes& send_frame);

// What a worker must know of a ROUTE to answer it.
struct RunningTask {
  TaskToken token;
  std::uint32_t session = 0, worker_session = 0;
  std::uint32_t route_number = 0;
  PeerAddress worker;
};
static_assert(sizeof(RunningTask) == 32);
RunningTask running_task(const net::Packet& route);

// A SEND like `frame`, of another client, slot and sequence, in an empty packet.
void write_send(net::Packet& packet, const testing::Bytes& frame, const ClientAddress& client, std::uint16_t slot,
                std::uint32_t sequence);
// The same, of the client that `frame` names.
void write_send(net::Packet& packet, const testing::Bytes& frame, std::uint16_t slot, std::uint32_t sequence);

// A RESULT like `frame`, which answers that task, in an empty packet.
void write_result(net::Packet& packet, const testing::Bytes& frame, const RunningTask& task);

// A ROUTE becomes its RESULT in its own buffer, as a worker on the same wire would answer it: it echoes the ROUTE's
// payload; the table is cut out by moving the header up against the payload.
void turn_round(net::Packet& packet);

}  // namespace mcplane::perf
