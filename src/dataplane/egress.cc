// Station 7 of 7. From: route, complete, and whoever answered. To: core_loop's tx_burst.
// Writes Ethernet, IP and UDP headers towards the peer before each datagram, to where its next hop is now. The UDP
// checksum is made from the sum of the rewritten lead and the payload's sum that ingress found: the payload is not read
// again (RFC 1624's idea, over whole blocks), so what the sender's checksum protects stays protected end to end.
#include <algorithm>
#include <cstring>
#include <limits>

#include "dataplane/departure.h"
#include "wire/lower_headers.h"
#include "wire/wide_sum.h"

namespace mcplane::dataplane {
namespace {

// Time this frame spent in the loop. ROUTE: kept for the task's DELIVER; DELIVER: added to the ROUTE's share.
void finish_header(Shard& shard, const Departure& departure, std::uint64_t leg_us) noexcept {
  const std::span datagram(departure.packet.data() + departure.payload_offset, wire::kLeadBytes);
  wire::Header& header = wire::header_of(datagram);
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint16_t>::max();
  if (header.type() == wire::FrameType::Deliver) {
    header.mutate_broker_us(static_cast<std::uint16_t>(std::min(kMax, header.broker_us() + leg_us)));
  } else if (header.type() == wire::FrameType::Route) {
    Task* const task = shard.tasks.find(wire::token_of(header));
    if (task != nullptr && task->state == TaskState::kRouted)
      task->route_leg_us = static_cast<std::uint16_t>(std::min(kMax, leg_us));
  }
}

// The frame's packet, to where it leaves.
void write_headers(Shard& shard, Departure& departure) noexcept {
  net::Packet& packet = shard.outgoing[raw(departure.port)].add();
  packet = std::move(departure.packet);
  if (departure.to == nullptr) return;
  const wire::LowerHeaders& lower = departure.to->lower;
  const std::byte* const datagram = packet.data() + departure.payload_offset;
  const std::uint32_t lead_sum = wire::sum_lead(datagram);
  // All but a tail in another buffer.
  packet.place(departure.payload_offset - lower.length,
               static_cast<std::uint16_t>(lower.length + departure.payload_length - packet.tail_length()));
  wire::write_lower_headers(lower, packet.data(), departure.payload_length, lead_sum + departure.tail_sum);
  shard.shared.neighbours.write_mac(departure.to->neighbour, packet.data());
}

// Of this loop's tasks, a burst at a time. Their DELIVERs leave now; who found a worker at once did not wait.
// Out of line: what it needs in registers would cost each frame two instructions.
[[gnu::noinline]] void note_times(Shard& shard, std::uint32_t leg_ns) noexcept {
  state::Durations& broker = shard.mine.timings.broker;
  auto& [counts, longer] = shard.answered;
  constexpr std::size_t kWord = sizeof(std::uint64_t);
#pragma GCC unroll 4
  for (std::size_t from = 0; from < counts.size(); from += kWord) {
    std::uint64_t word = 0;
    std::memcpy(&word, &counts[from], kWord);
    for (std::size_t us = from; word != 0; word >>= 8, ++us)
      if (const std::uint64_t tasks = word & 0xff) broker.add_times(us * kNsPerUs + leg_ns, tasks);
  }
  counts = {};
  for (const std::uint16_t leg_us : longer.items()) broker.add(leg_us * kNsPerUs + leg_ns);
  longer.clear();
  shard.mine.timings.queue.add_none(shard.joined.at_once(shard.counters.accepted.read()));
}

}  // namespace

void egress(Shard& shard, std::uint64_t stamp_ns) noexcept {
  const std::uint64_t leg_ns = stamp_ns - shard.now_ns, leg_us = leg_ns / kNsPerUs;
  constexpr std::uint64_t kLegNsMax = std::numeric_limits<std::uint32_t>::max();
  if (observed()) note_times(shard, static_cast<std::uint32_t>(std::min(leg_ns, kLegNsMax)));
  // Apart: a sum that is taken as soon as one of its words is written waits until that is in the cache.
  for (const Departure& departure : shard.departures.items())
    if (departure.to != nullptr) finish_header(shard, departure, leg_us);
  for (Departure& departure : shard.departures.items()) write_headers(shard, departure);
  shard.departures.clear();
  if (shard.spans.pending()) [[unlikely]]
    shard.spans.flush(stamp_ns);
}

}  // namespace mcplane::dataplane
