// Station 2 of 7. From: core_loop's burst. To: dispatch.
// Ethernet, IP and UDP checks, the port's shard, then the MCP header, in the decoder's fixed order: length, address
// class, seal, ranges. What a table holds is verified by the station that reads it. While a burst is taken apart the
// sessions and tasks its headers name are prefetched, so that dispatch meets them in cache.
// A frame for another shard's port goes there unverified: its shard checks all of it, so that one core reads it, once.
#include <algorithm>

#include "base/prefetch.h"
#include "dataplane/departure.h"

namespace mcplane::dataplane {
namespace {

constexpr std::size_t kPrefetchAhead = 4;

void prefetch_state(Shard& shard, const wire::Header& header) noexcept {
  if (header.type() == wire::FrameType::Result) shard.tasks.prefetch(wire::token_of(header));
  shard.sessions.prefetch(wire::sender_of(header));
}

// Both lines that stations read and rewrite. To be written, so that a line another core has looked at is ours by then.
void prefetch_headers(const net::Packet& packet) noexcept {
  prefetch_to_write(packet.data());
  prefetch_to_write(packet.data() + kCacheLineBytes);
}

// Decides about frames whose UDP port names another shard, by their first cache line. To be read: it is their shard's.
void steer(Shard& shard, std::span<const net::Packet> packets, std::span<Verdict> verdicts) noexcept {
  for (const net::Packet& packet : packets) prefetch_to_read(packet.data());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const std::uint16_t port = wire::peek_destination_port(packets[i].bytes());
    const auto number = static_cast<std::uint16_t>(port - shard.options.base_port);
    const bool other = number != raw(shard.options.id) && number < shard.shared.options.shards;
    verdicts[i] = other ? Verdict::handoff(ShardId(static_cast<std::uint8_t>(number))) : Verdict{};
  }
}

Verdict check(Shard& shard, const net::Packet& packet, Frame& frame) noexcept {
  if (packet.chained()) return Verdict::drop(DropReason::kChainedBuffer);
  if (packet.checksum_bad()) return Verdict::drop(DropReason::kBadUdpChecksum);
  const auto bytes = packet.bytes();
  frame.ip = wire::parse_frame(bytes, shard.options.ports[raw(packet.port())], packet.checksum_good());
  if (frame.ip.frame_class == wire::FrameClass::kControl) return Verdict::punt();
  if (frame.ip.frame_class == wire::FrameClass::kDrop) return Verdict::drop(frame.ip.reason);

  if (frame.ip.destination_port != shard.options.base_port + raw(shard.options.id))
    return Verdict::drop(DropReason::kUnknownPort);

  const auto datagram = bytes.subspan(frame.ip.payload_offset, frame.ip.payload_length);
  const DropReason reason = wire::check_datagram(datagram);
  // These two are sound frames of a known sender that dispatch answers.
  const bool answered = reason == DropReason::kUnsupportedType || reason == DropReason::kBadFragment;
  if (reason != DropReason::kNone && !answered) return Verdict::drop(reason);
  frame.header = &wire::header_of(datagram);
  frame.ip.reason = reason;
  prefetch_state(shard, *frame.header);
  return {};
}

}  // namespace

void ingress(Shard& shard, std::span<net::Packet> packets, std::span<Frame> frames,
             std::span<Verdict> verdicts) noexcept {
  const bool steered = shard.shared.options.shards > 1;
  if (steered) steer(shard, packets, verdicts);
  const auto stays = [&](std::size_t i) { return !steered || !verdicts[i].decided(); };
  for (std::size_t i = 0; i < std::min(kPrefetchAhead, packets.size()); ++i)
    if (stays(i)) prefetch_headers(packets[i]);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const std::size_t ahead = i + kPrefetchAhead;
    if (ahead < packets.size() && stays(ahead)) prefetch_headers(packets[ahead]);
    frames[i].header = nullptr;
    if (stays(i)) verdicts[i] = check(shard, packets[i], frames[i]);
  }
}

}  // namespace mcplane::dataplane
