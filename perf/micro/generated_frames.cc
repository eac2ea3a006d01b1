// See generated_frames.h.
#include "generated_frames.h"

#include <array>
#include <cstring>

namespace mcplane::perf {
namespace {

constexpr std::size_t kIpAt = wire::kEthernetBytes;
constexpr std::size_t kUdpAt = kIpAt + wire::kIpv4Bytes;

template <std::size_t kBytes>
void swap_bytes(std::byte* a, std::byte* b) {
  std::array<std::byte, kBytes> kept;
  std::memcpy(kept.data(), a, kBytes);
  std::memcpy(a, b, kBytes);
  std::memcpy(b, kept.data(), kBytes);
}

}  // namespace

void write_send(net::Packet& packet, const testing::Bytes& frame, std::uint16_t slot, std::uint32_t sequence) {
  std::memcpy(packet.data(), frame.data(), frame.size());
  packet.set_length(static_cast<std::uint16_t>(frame.size()));
  wire::Header& header = header_in(packet);
  header.mutate_slot(slot);
  header.mutate_sequence(sequence);
  testing::refresh_checksums(packet.bytes());
}

void turn_round(net::Packet& packet) {
  wire::Header& route = header_in(packet);
  const std::uint16_t table = route.table_length();
  route.mutate_type(wire::FrameType::Result);
  route.mutate_sequence(wire::route_number(route));  // any number but 0: the broker acknowledges it with a later ROUTE
  route.mutate_message_length(route.message_length() - table);
  route.mutate_table_length(0);
  route.mutate_ttl_ms(0);
  std::memmove(packet.data() + table, packet.data(), kDatagramAt + wire::kLeadBytes);
  packet.move_start(table);
  std::byte* const frame = packet.data();
  swap_bytes<6>(frame, frame + 6);
  swap_bytes<4>(frame + kIpAt + 12, frame + kIpAt + 16);
  swap_bytes<2>(frame + kUdpAt, frame + kUdpAt + 2);
  const auto store = [frame](std::size_t at, std::size_t value) {
    frame[at] = static_cast<std::byte>(value >> 8);
    frame[at + 1] = static_cast<std::byte>(value & 0xff);
  };
  store(kIpAt + 2, packet.length() - kIpAt);
  store(kUdpAt + 4, packet.length() - kUdpAt);
  testing::refresh_checksums(packet.bytes());
}

}  // namespace mcplane::perf
