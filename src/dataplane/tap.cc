// See tap.h. Frames are looked at unverified: what is matched are bytes where a sound frame has its addresses and type.
#include "dataplane/tap.h"

#include <algorithm>
#include <cstring>

#include "wire/layout.h"

namespace mcplane::dataplane {
namespace {

using Bytes = std::span<const std::byte>;

// Whether the frame's other end is that address.
bool involves(Bytes frame, const wire::IpAddress& peer, bool outgoing) noexcept {
  if (frame.size() < wire::kEthernetBytes + wire::kVlanBytes) return false;
  const bool tagged = wire::load_be16(frame.data() + 12) == wire::kEtherVlan;
  const std::size_t l3 = wire::kEthernetBytes + (tagged ? wire::kVlanBytes : 0);
  const std::byte* const packet = frame.data() + l3;
  switch (wire::load_be16(packet - 2)) {
    case wire::kEtherIpv4:
      return frame.size() >= l3 + wire::kIpv4Bytes && wire::load_ipv4(packet + (outgoing ? 16 : 12)) == peer;
    case wire::kEtherIpv6:
      return frame.size() >= l3 + wire::kIpv6Bytes && wire::load_ipv6(packet + (outgoing ? 24 : 8)) == peer;
    default:
      return false;
  }
}

bool is_one_of(Bytes frame, std::uint32_t types) noexcept {
  const std::size_t udp = wire::peek_udp(frame);
  if (udp == 0 || frame.size() < udp + wire::kUdpBytes + wire::kLeadBytes) return false;
  const Bytes datagram = frame.subspan(udp + wire::kUdpBytes);
  if (!std::equal(wire::kMagic.begin(), wire::kMagic.end(), datagram.begin())) return false;
  const auto type = raw(wire::header_of(datagram).type());
  return type < 32 && (types >> type & 1U) != 0;
}

bool matches(const state::CaptureFilter& filter, Bytes frame, bool outgoing) noexcept {
  return (!filter.peer || involves(frame, *filter.peer, outgoing)) &&
         (filter.types == 0 || is_one_of(frame, filter.types));
}

}  // namespace

void copy_matching(const Shard& shard, state::Capture& capture, std::span<const net::Packet> packets,
                   const TapPoint& where) noexcept {
  state::Capture::Lane& lane = *capture.lanes[raw(shard.options.id)];
  for (const net::Packet& packet : packets) {
    const Bytes frame = packet.bytes();
    if (!matches(capture.filter, frame, where.outgoing)) continue;
    state::CapturedFrame copy;
    copy.at_ns = where.at_ns;
    copy.length = packet.frame_length();
    copy.captured = std::min(copy.length, capture.filter.snap_bytes);
    copy.port = where.outgoing ? where.port : packet.port();
    copy.outgoing = where.outgoing;
    const Bytes own = frame.first(std::min<std::size_t>(frame.size(), copy.captured));
    std::ranges::copy(own, copy.bytes.begin());
    if (own.size() < copy.captured)
      std::ranges::copy(where.tail_of(packet).first(copy.captured - own.size()), copy.bytes.begin() + own.size());
    if (!lane.frames.try_push(copy)) lane.missed.add();
  }
}

}  // namespace mcplane::dataplane
