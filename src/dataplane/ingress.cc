// Station 2 of 7. From: core_loop's burst. To: dispatch.
// Ethernet, IP and UDP checks, the port's shard, then the MCP header, in the decoder's fixed order: length, address
// class, seal, ranges. What a table holds is verified by the station that reads it. While a burst is taken apart the
// sessions and tasks its headers name are prefetched, so that dispatch meets them in cache.
// A frame for another shard's port goes there unverified: its shard checks all of it, so that one core reads it, once.
#include <algorithm>

#include "dataplane/departure.h"

namespace mcplane::dataplane {
namespace {

constexpr std::size_t kPrefetchAhead = 4;

void prefetch_state(Shard& shard, const wire::Header& header) noexcept {
  const bool from_worker = header.type() == wire::FrameType::Result || header.type() == wire::FrameType::Ack;
  if (from_worker) shard.tasks.prefetch(wire::token_of(header));
  shard.sessions.prefetch({from_worker ? header.worker_session() : header.session()});
}

// The shard a frame's UDP port names, if that is another one; this one otherwise.
ShardId owner_of(const Shard& shard, std::span<const std::byte> bytes) noexcept {
  const auto number = static_cast<std::uint16_t>(wire::peek_destination_port(bytes) - shard.options.base_port);
  return number < shard.shared.options.shards ? ShardId(static_cast<std::uint8_t>(number)) : shard.options.id;
}

Verdict check(Shard& shard, const net::Packet& packet, Frame& frame) noexcept {
  if (packet.chained()) return Verdict::drop(DropReason::kChainedBuffer);
  if (packet.checksum_bad()) return Verdict::drop(DropReason::kBadUdpChecksum);
  const auto bytes = packet.bytes();
  if (shard.shared.options.shards > 1)
    if (const ShardId owner = owner_of(shard, bytes); owner != shard.options.id) return Verdict::handoff(owner);
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
  for (std::size_t i = 0; i < std::min(kPrefetchAhead, packets.size()); ++i) __builtin_prefetch(packets[i].data());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (i + kPrefetchAhead < packets.size()) {
      __builtin_prefetch(packets[i + kPrefetchAhead].data());
      __builtin_prefetch(packets[i + kPrefetchAhead].data() + kCacheLineBytes);
    }
    frames[i].header = nullptr;
    verdicts[i] = check(shard, packets[i], frames[i]);
  }
}

}  // namespace mcplane::dataplane
