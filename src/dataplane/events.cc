// From: dispatch (PUBLISH). To: egress. A PUBLISH becomes an EVENT for each subscription that matches, and of a group
// for one; the tree of subscriptions (state/topic_tree.h) says for which. At most kEventsPerLoop leave in a loop, from
// the UDP port of the subscriber's shard, whichever core sends them; others wait in a line (event_line.h).
//
// Of several EVENTs each has a lead of its own, in a buffer of its own, and shares the rest of the PUBLISH with the
// others: its tail is not copied, nor summed again. One alone is the PUBLISH itself. What leaves by a port that sends
// no frames in two buffers is a copy.
#include "base/planted_bug.h"
#include "dataplane/departure.h"

namespace mcplane::dataplane {
namespace {

using Target = EventLine::Target;

// DPDK counts them in 16 bits.
constexpr std::uint16_t kSharesMax = 32'767;

// Of a group's members on this shard, in turn.
const Target& whose_turn(Shard& shard, const state::TopicTree::Group& group) noexcept {
  std::uint32_t& turn = shard.group_turns[group.key % shard.group_turns.size()];
  return group.members[turn++ % group.members.size()];
}

// The owning core only: a plain add, no locked instruction.
void count(std::atomic<std::uint32_t>& events) noexcept {
  events.store(events.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void drop_event(Shard& shard, SessionId subscriber) noexcept {
  count(shard.mine.events[subscriber.index()].dropped);
  shard.counters.events_dropped.add();
}

// What all subscribers get alike; the trace and task ids go along.
void rewrite_as_event(wire::Header& header, const Shard& shard) noexcept {
  constexpr auto kKept = static_cast<std::uint16_t>(raw(wire::Flag::Sampled) | raw(wire::Flag::RandomTrace));
  header.mutate_type(wire::FrameType::Event);
  header.mutate_flags(header.flags() & kKept);
  header.mutate_reason(wire::Reason::Ok);
  header.mutate_executed(wire::Executed::NotSaid);
  header.mutate_answers(wire::FrameType::None);
  header.mutate_attempt(0);
  header.mutate_worker_session(0);
  wire::set_token(header, {});
  header.mutate_slot(raw(shard.options.id));
  header.mutate_fragment_index(0);
  header.mutate_broker_us(0);
  header.mutate_ttl_ms(0);
  wire::set_slots(header, 0, 0);
}

std::span<const std::byte> tail_of(const FanOut& fan_out) noexcept {
  return fan_out.packet.bytes().subspan(wire::kLeadBytes);
}

// The EVENT that begins in `head` shares the PUBLISH's tail.
void share_tail(Shard& shard, FanOut& fan_out, net::Packet& head) noexcept {
  const net::Packet& whole = fan_out.packet;
  net::Packet tail(whole.data(), whole.buffer(), whole.length(), whole.headroom(), whole.port());
  tail.move_start(wire::kLeadBytes);
  head.set_tail(tail);
  auto shares = shard.shares.items();
  if (shares.empty() || shares.back().packet.buffer() != tail.buffer())
    shard.shares.push({.packet = std::move(tail), .times = 0});
  if (!planted(PlantedBug::kShareUncounted) || fan_out.shares > 0) ++shard.shares.items().back().times;
  ++fan_out.shares;
}

// An EVENT's packet, its datagram at `offset`: the PUBLISH itself, or a beginning of its own before the PUBLISH's tail.
// Without a buffer when no spare one is left.
net::Packet make_event(Shard& shard, FanOut& fan_out, PortId port, std::uint16_t& offset) noexcept {
  offset = 0;
  if (fan_out.left == 0 && fan_out.shares == 0) return take(fan_out.packet);
  net::Packet packet = shard.take_spare();
  if (packet.buffer() == nullptr) {
    shard.counters.no_buffer.add();
    return packet;
  }
  offset = kDatagramOffset;
  const auto tail = tail_of(fan_out);
  const bool copies = fan_out.shares == kSharesMax || shard.options.without_tails[raw(port)];
  const std::size_t copied = wire::kLeadBytes + (copies ? tail.size() : 0);
  std::memcpy(packet.data() + offset, fan_out.packet.data(), copied);
  packet.set_length(static_cast<std::uint16_t>(offset + copied));
  if (!copies) share_tail(shard, fan_out, packet);
  return packet;
}

void send_event(Shard& shard, FanOut& fan_out, const Target& target, const state::SessionRecord& to) noexcept {
  const std::uint16_t datagram_bytes = fan_out.packet.length();
  std::uint16_t offset = 0;
  net::Packet packet = make_event(shard, fan_out, to.port, offset);
  if (packet.buffer() == nullptr) return drop_event(shard, target.session);
  state::EventCounts& counts = shard.mine.events[target.session.index()];
  count(counts.sent);
  shard.counters.events_sent.add();
  wire::Header& header = wire::header_of(std::span(packet.data() + offset, wire::kLeadBytes));
  header.mutate_session(target.session.value);
  header.mutate_token_index(target.number);
  header.mutate_sequence(counts.sent.load(std::memory_order_relaxed) + counts.dropped.load(std::memory_order_relaxed));
  Departure& departure = shard.departures.add();
  departure.packet = std::move(packet);
  departure.to = &to;
  departure.port = to.port;
  departure.payload_offset = offset;
  departure.payload_length = datagram_bytes;
  departure.tail_sum = fan_out.tail_sum;
}

// The subscribers join the line, as far as there is room. How many there are.
std::uint32_t line_up(Shard& shard, const state::TopicTree& topics, const wire::TopicTokens& topic) noexcept {
  const bool full = shard.events.full();
  std::uint32_t matched = 0;
  const auto add = [&](const Target& target) {
    ++matched;
    if (full || !shard.events.add(target)) drop_event(shard, target.session);
  };
  topics.match(topic, [&](const state::TopicTree::Node& node) {
    for (const Target& target : node.each) add(target);
    for (const state::TopicTree::Group& group : node.groups) {
      if (planted(PlantedBug::kEventToWholeGroup))
        for (const Target& target : group.members) add(target);
      else
        add(whose_turn(shard, group));
    }
  });
  return matched;
}

}  // namespace

Verdict on_publish(Shard& shard, net::Packet& packet, Frame& frame) noexcept {
  const auto datagram = packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length);
  if (datagram.size() > shard.options.datagram_bytes_max) return Verdict::drop(DropReason::kBadLength);
  const auto topic = wire::read_publication(wire::table_of(datagram));
  if (!topic) return Verdict::drop(DropReason::kBadTable);
  shard.counters.published.add();
  // Now, not with the loop: a subscription that was acknowledged before this came is in it. Acquire; pairs with the
  // release store in Shared::publish_topics().
  const state::TopicTree* const topics = shard.shared.topics.load(std::memory_order_acquire);
  if (topics == nullptr) return Verdict::complete();
  const std::uint32_t matched = line_up(shard, *topics, *topic);
  if (shard.events.added() == 0) return matched > 0 ? Verdict::drop(DropReason::kEventsFull) : Verdict::complete();
  rewrite_as_event(*frame.header, shard);
  packet.move_start(frame.ip.payload_offset);
  packet.set_length(frame.ip.payload_length);
  shard.events.close({.packet = take(packet), .tail_sum = frame.ip.tail_sum});
  return Verdict::complete();
}

void send_events(Shard& shard) noexcept {
  const state::TopicTree* const topics = shard.shared.topics.load(std::memory_order_acquire);
  for (std::uint32_t looked = 0; looked < kEventsPerLoop && !shard.events.empty(); ++looked) {
    FanOut& fan_out = shard.events.front();
    const SessionId next = shard.events.next_target().session;
    const state::SessionRecord* const to = topics != nullptr ? topics->find(next) : nullptr;
    // Its port is full: the line waits, while its frames are kept.
    if (to != nullptr && !shard.outgoing[raw(to->port)].empty()) return;
    const Target target = shard.events.take_target();
    if (to != nullptr) send_event(shard, fan_out, target, *to);
    // Its last subscriber is gone, got no buffer, or has a share of this one.
    if (fan_out.left == 0 && fan_out.packet.buffer() != nullptr) shard.give_back(take(fan_out.packet));
  }
}

}  // namespace mcplane::dataplane
