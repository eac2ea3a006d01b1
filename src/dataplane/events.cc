// From: dispatch (PUBLISH). To: egress. A PUBLISH becomes an EVENT for each subscription that matches, and of a group
// for one; the tree of subscriptions (state/topic_tree.h) says for which. At most kEventsPerLoop leave in a loop, from
// the UDP port of the subscriber's shard, whichever core sends them; others wait in a line (event_line.h).
//
// An EVENT is a copy of the PUBLISH, but for the last one, which is the PUBLISH itself. Copies, since a buffer that two
// frames share would take the drivers' shortcut for buffers that are held once from every task.
#include "base/planted_bug.h"
#include "dataplane/departure.h"

namespace mcplane::dataplane {
namespace {

using Target = EventLine::Target;

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

// A copy of the frame, or at the end the frame itself; without a buffer when no spare one is left.
net::Packet take_event(Shard& shard, FanOut& fan_out, std::uint16_t& payload_offset) noexcept {
  payload_offset = fan_out.payload_offset;
  if (fan_out.left == 0) return take(fan_out.packet);
  net::Packet packet = shard.take_spare();
  if (packet.buffer() == nullptr) {
    shard.counters.no_buffer.add();
    return packet;
  }
  payload_offset = kDatagramOffset;
  std::memcpy(packet.data() + payload_offset, fan_out.packet.data() + fan_out.payload_offset, fan_out.payload_length);
  packet.set_length(static_cast<std::uint16_t>(payload_offset + fan_out.payload_length));
  return packet;
}

void send_event(Shard& shard, FanOut& fan_out, const Target& target, const state::SessionRecord& to) noexcept {
  std::uint16_t payload_offset = 0;
  net::Packet packet = take_event(shard, fan_out, payload_offset);
  if (packet.buffer() == nullptr) return drop_event(shard, target.session);
  state::EventCounts& counts = shard.mine.events[target.session.index()];
  count(counts.sent);
  shard.counters.events_sent.add();
  wire::Header& header = wire::header_of(std::span(packet.data() + payload_offset, wire::kLeadBytes));
  header.mutate_session(target.session.value);
  header.mutate_token_index(target.number);
  header.mutate_sequence(counts.sent.load(std::memory_order_relaxed) + counts.dropped.load(std::memory_order_relaxed));
  Departure& departure = shard.departures.add();
  departure.packet = std::move(packet);
  departure.to = &to;
  departure.port = to.port;
  departure.payload_offset = payload_offset;
  departure.payload_length = fan_out.payload_length;
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
  shard.events.close({.packet = take(packet),
                      .payload_offset = frame.ip.payload_offset,
                      .payload_length = frame.ip.payload_length,
                      .tail_sum = frame.ip.tail_sum,
                      .left = 0});
  return Verdict::complete();
}

void send_events(Shard& shard) noexcept {
  const state::TopicTree* const topics = shard.shared.topics.load(std::memory_order_acquire);
  for (std::uint32_t looked = 0; looked < kEventsPerLoop && !shard.events.empty(); ++looked) {
    FanOut& fan_out = shard.events.front();
    const Target target = shard.events.take_target();
    const state::SessionRecord* const to = topics != nullptr ? topics->find(target.session) : nullptr;
    if (to != nullptr) send_event(shard, fan_out, target, *to);
    // Its last subscriber is gone, or got no buffer.
    if (fan_out.left == 0 && fan_out.packet.buffer() != nullptr) shard.give_back(take(fan_out.packet));
  }
}

}  // namespace mcplane::dataplane
