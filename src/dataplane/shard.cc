// Construction of a shard, and the two ends of every burst: the loop's clock and the settling of verdicts.
#include "dataplane/shard.h"

#include "base/planted_bug.h"
#include "dataplane/departure.h"
#include "wire/registration.h"

namespace mcplane::dataplane {

Shard::Shard(state::Shared& shared_state, HandoffMesh& mesh, const ShardOptions& given)
    : options(given),
      shared(shared_state),
      mine(*shared_state.shards[raw(given.id)]),
      counters(mine.counters),
      handoff_mesh(mesh),
      sessions(shared_state.options.sessions),
      client_slots(given.client_slots),
      tasks(given.max_tasks),
      timers(tasks.timers(), 0),
      held(given.max_queued),
      routes(given.max_routes, shared_state.options.cookie_key, &mine.waiting),
      answers(given.cache_bytes, given.max_tasks, shared_state.options.cookie_key),
      random(shared_state.options.cookie_key[0] + raw(given.id)),
      owed(shared_state.workers.capacity()),
      spans(shared_state, mine.spans.get(), given.max_tasks),
      outgoing(given.ports.size()) {
  sweep.current.reserve(shared_state.options.sessions);
  sweep.next.reserve(shared_state.options.sessions);
  begin_loop(given.start_ns);
}

void Shard::begin_loop(std::uint64_t loop_now_ns) noexcept {
  now_ns = loop_now_ns;
  task_clock = Task::clock_of(now_ns);
  now_ms = static_cast<std::uint32_t>((loop_now_ns - options.start_ns) / kNsPerMs);
  heard_ms = std::max(now_ms, 1U);
  mine.loop_ns.store(loop_now_ns, std::memory_order_relaxed);
  ack_wait_ms = shared.ack_wait_ms.load(std::memory_order_relaxed);
  snapshot = shared.routes.read();
  if (observed()) spans.begin_loop();
}

namespace {

// A round trip, and however long the endpoint took. Its cookie is valid, so it is not older than that may be.
std::uint16_t handshake_ms(const Shard& shard, const net::Packet& packet, const Frame& frame) noexcept {
  const auto datagram = packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length);
  return static_cast<std::uint16_t>(shard.now_ms - wire::cookie_of(datagram).issued_ms());
}

// Copies what control needs of the frame; the NIC keeps its buffer.
bool punt(Shard& shard, const net::Packet& packet, const Frame& frame) noexcept {
  state::Punt punt;
  std::size_t length = packet.length();
  if (frame.header != nullptr) {
    const bool hello = frame.header->type() == wire::FrameType::Hello,
               bye = frame.header->type() == wire::FrameType::Bye;
    punt.kind = hello ? state::PuntKind::kHello : bye ? state::PuntKind::kBye : state::PuntKind::kSubscribe;
    punt.session = {frame.header->session()};
    // A HELLO's padding stays behind.
    const std::size_t cookie = hello ? wire::kCookieBytes : 0;
    length = bye ? 0 : frame.ip.payload_offset + wire::kLeadBytes + cookie + frame.header->table_length();
    if (hello) punt.handshake_ms = handshake_ms(shard, packet, frame);
  }
  if (length > state::kMailboxFrameBytes) return false;
  punt.port = packet.port();
  punt.length = static_cast<std::uint16_t>(length);
  punt.payload_offset = frame.ip.payload_offset;
  punt.vlan = frame.ip.vlan;
  punt.peer = frame.ip.source;
  punt.local = frame.ip.destination;
  punt.local_port = frame.ip.destination_port;
  std::memcpy(punt.bytes.data(), packet.data(), length);
  state::Mailbox& mailbox = shard.mine.mailbox;
  return (frame.header == nullptr ? mailbox.neighbours : mailbox.to_control).try_push(punt);
}

void drop(Shard& shard, net::Packet& packet, DropReason reason) noexcept {
  shard.counters.dropped[static_cast<std::size_t>(reason)].add();
  if (planted(PlantedBug::kLeakDuplicate) && reason == DropReason::kDuplicate) packet = {};
  if (planted(PlantedBug::kFreeTwice) && reason == DropReason::kDuplicate)
    shard.give_back({packet.data(), packet.buffer(), packet.length(), packet.headroom(), packet.port()});
  shard.give_back(take(packet));
}

// Each shard's frames of a burst travel in one ring operation. What a full ring does not take is dropped.
void hand_off(Shard& shard, std::span<net::Packet> packets, std::span<const Verdict> verdicts) noexcept {
  for (std::size_t first = 0; first < packets.size(); ++first) {
    // Without a buffer: it left with an earlier one's shard.
    if (verdicts[first].action != Action::kHandoff || packets[first].buffer() == nullptr) continue;
    const ShardId to = verdicts[first].to;
    for (std::size_t i = first; i < packets.size(); ++i)
      if (verdicts[i].action == Action::kHandoff && verdicts[i].to == to) shard.leaving.push(take(packets[i]));
    const std::size_t taken = shard.handoff_mesh.push(shard.options.id, to, shard.leaving.items());
    shard.counters.handed_off.add(taken);
    for (net::Packet& packet : shard.leaving.items().subspan(taken))
      planted(PlantedBug::kLeakHandoff) ? void(packet = {}) : drop(shard, packet, DropReason::kHandoffFull);
    shard.leaving.clear();
  }
}

}  // namespace

void settle(Shard& shard, std::span<net::Packet> packets, std::span<const Frame> frames,
            std::span<const Verdict> verdicts) noexcept {
  shard.counters.received.add(packets.size());
  bool leaving = false;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    net::Packet& packet = packets[i];
    switch (verdicts[i].action) {
      case Action::kForward:
        shard.counters.forwarded.add();
        break;
      case Action::kHandoff:
        leaving = true;
        break;
      case Action::kPunt:
        if (punt(shard, packet, frames[i])) {
          shard.counters.punted.add();
          shard.give_back(take(packet));
        } else {
          drop(shard, packet, DropReason::kMailboxFull);
        }
        break;
      case Action::kComplete:
        if (packet.buffer() != nullptr || !planted(PlantedBug::kMiscountWaiting)) shard.counters.completed.add();
        if (packet.buffer() != nullptr) shard.give_back(take(packet));
        break;
      case Action::kContinue:
      case Action::kDrop:
        drop(shard, packet, verdicts[i].reason);
        break;
    }
  }
  if (leaving) hand_off(shard, packets, verdicts);
}

}  // namespace mcplane::dataplane
