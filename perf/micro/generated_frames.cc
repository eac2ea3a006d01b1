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

void load_address(PeerAddress& address, const std::byte* mac, const std::byte* ip, const std::byte* port) {
  std::memcpy(address.mac.data(), mac, address.mac.size());
  std::memcpy(address.ip.data(), ip, address.ip.size());
  std::memcpy(address.port.data(), port, address.port.size());
}

void copy_frame(net::Packet& packet, const testing::Bytes& frame) {
  std::memcpy(packet.data(), frame.data(), frame.size());
  packet.set_length(static_cast<std::uint16_t>(frame.size()));
}

void write_source(std::byte* frame, const PeerAddress& from) {
  std::memcpy(frame + 6, from.mac.data(), from.mac.size());
  std::memcpy(frame + kIpAt + 12, from.ip.data(), from.ip.size());
  std::memcpy(frame + kUdpAt, from.port.data(), from.port.size());
}

}  // namespace

ClientAddress client_address(const testing::Bytes& send_frame) {
  const std::byte* const frame = send_frame.data();
  ClientAddress client;
  load_address(client.from, frame + 6, frame + kIpAt + 12, frame + kUdpAt);
  client.session = wire::header_of(std::span(send_frame).subspan(kDatagramAt)).session();
  return client;
}

RunningTask running_task(const net::Packet& route) {
  const wire::Header& header = header_in(route);
  RunningTask task{.token = wire::token_of(header),
                   .session = header.session(),
                   .worker_session = header.worker_session(),
                   .route_number = wire::route_number(header),
                   .worker = {}};
  const std::byte* const frame = route.data();
  load_address(task.worker, frame, frame + kIpAt + 16, frame + kUdpAt + 2);
  return task;
}

void write_send(net::Packet& packet, const testing::Bytes& frame, const ClientAddress& client, std::uint16_t slot,
                std::uint32_t sequence) {
  copy_frame(packet, frame);
  write_source(packet.data(), client.from);
  wire::Header& header = header_in(packet);
  header.mutate_session(client.session);
  header.mutate_slot(slot);
  header.mutate_sequence(sequence);
  testing::refresh_checksums(packet.bytes());
}

void write_send(net::Packet& packet, const testing::Bytes& frame, std::uint16_t slot, std::uint32_t sequence) {
  copy_frame(packet, frame);
  wire::Header& header = header_in(packet);
  header.mutate_slot(slot);
  header.mutate_sequence(sequence);
  testing::refresh_checksums(packet.bytes());
}

void write_result(net::Packet& packet, const testing::Bytes& frame, const RunningTask& task) {
  copy_frame(packet, frame);
  write_source(packet.data(), task.worker);
  wire::Header& header = header_in(packet);
  header.mutate_attempt(1);
  header.mutate_session(task.session);
  header.mutate_worker_session(task.worker_session);
  wire::set_token(header, task.token);
  header.mutate_sequence(task.route_number);  // any number but 0: the broker acknowledges it with a later ROUTE
  wire::set_route_number(header, task.route_number);
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
