// Frames on their way between peers and broker: who gets one, what becomes of it, and what it says of the broker that
// sent it.
#include <algorithm>

#include "world.h"

namespace mcplane::sim {

// As a switch that knows everybody: by the frame's MAC.
void World::leave_broker(PortId port, std::span<std::byte> frame) {
  const bool group = (frame[0] & std::byte{1}) != std::byte{};
  const auto found = peek(frame);
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    const Host& host = peers_[i].host;
    if (host.port() != port || !(group || std::ranges::equal(std::as_bytes(std::span(host.mac())), frame.first(6))))
      continue;
    if (found && found->destination != host.address())
      verdict_.fail("9 a frame to its peer", "MAC and address of a frame are of two peers");
    if (found) observe(found->datagram, i);
    carry(i, Direction::kToPeer, frame);
  }
}

void World::observe(std::span<const std::byte> datagram, std::uint32_t to) {
  const wire::Header& header = wire::header_of(datagram);
  if (Newsroom::owns(header)) return newsroom_.on_broker_frame(datagram, to, now_ns_);
  const bool route = header.type() == wire::FrameType::Route;
  // Frames that other cores left here, or that waited in a paused core's queue, are older than since_ns_ says.
  const bool dated = !broker_->relays() && !options_.faults.may_befall(Mishap::kCorePause);
  const Ledger::Departure departure{dated ? since_ns_ : 0, dated && since_ns_ == now_ns_};
  if (route) check_route(header);
  if (route && header.fragment_index() != 0) ++coverage_.parts;
  if (header.type() == wire::FrameType::Ping) ++coverage_.asked;
  if (wire::has(header.flags(), wire::Flag::Degraded)) check_degraded(header);
  if (route && wire::is_shadow(header.flags()) != wire::is_shadow(peers_[to].hello.service))
    verdict_.fail("13 shadow and production are apart", "a ROUTE to a worker of the other kind");
  const bool astray = header.type() == wire::FrameType::Deliver && sabotage(Sabotage::kMisdeliver);
  ledger_.on_broker_frame(header, astray ? to + 1 : to, departure);
  if (route && sabotage(Sabotage::kRouteElsewhere)) {
    wire::Header elsewhere = header;
    elsewhere.mutate_worker_session(header.worker_session() + 1);
    ledger_.on_broker_frame(elsewhere, to, {});
  }
}

void World::check_route(const wire::Header& header) {
  if (!ledger_.begins_attempt(header)) return;
  // A full ring may have swallowed the attempt's first ROUTE, given when its worker still admitted tasks.
  const bool repeated = wire::has(header.flags(), wire::Flag::Retry) && broker_->not_taken() > 0;
  if (!broker_->relays() && since_ns_ == now_ns_ && !repeated && !broker_->admits({header.worker_session()}))
    verdict_.fail("7 no ROUTE to who was taken out", "a ROUTE to a worker that no longer admits tasks");
  if (options_.breaker.enabled && !broker_->relays() && since_ns_ == now_ns_ && !repeated)
    if (const std::string wrong = broker_->check_gate(header, now_ns_); !wrong.empty())
      verdict_.fail("7 no ROUTE past a breaker", wrong);
  if (broker_->lives({ledger_.unfinished_before(header)}))
    verdict_.fail("3 no second worker while the first lives", "a task was routed anew that its worker still holds");
}

// Of the first frame that says so; what a full ring may have swallowed, or is said again, is older.
void World::check_degraded(const wire::Header& header) {
  const std::uint32_t number = Ledger::number_of(wire::task_id_of(header));
  const bool first = header.type() == wire::FrameType::Route
                         ? ledger_.begins_attempt(header)
                         : header.type() == wire::FrameType::Deliver &&
                               wire::substitute_of(header) != wire::Substitute::Fallback &&
                               ledger_.begins_outcome(header);
  if (!first || options_.degrade.when != control::DegradeWhen::kAuto || broker_->relays() || since_ns_ != now_ns_ ||
      broker_->not_taken() > 0)
    return;
  if (somebody_in(number)) verdict_.fail("7 degraded while nobody is in", "something stood in for a worker that is in");
}

void World::carry(std::uint32_t peer, Direction direction, std::span<std::byte> frame) {
  const bool up = direction == Direction::kToBroker;
  const auto found = peek(frame);
  const std::span<const std::byte> shown = found ? std::span<const std::byte>(found->datagram) : frame;
  const auto copies = network_.transmit(now_ns_, peer, direction);
  const bool link_up = links_down_ns_[raw(peers_[peer].host.port())] <= now_ns_;
  if (copies.empty() || !link_up)
    return trace_.note_frame(now_ns_, up ? "lost, from peer" : "lost, to peer", peer, shown);
  trace_.note_frame(now_ns_, up ? "from peer" : "to peer", peer, shown);
  for (const Network::Copy& copy : copies) {
    const std::uint32_t handle = keep_frame(frame);
    // Neighbours' frames have no checksum of their own: Ethernet's would find the damage.
    frames_[handle].corrupted = copy.corrupted && found;
    if (frames_[handle].corrupted) network_.corrupt(frames_[handle].bytes, *found);
    push(copy.at_ns, up ? Kind::kToBroker : Kind::kToPeer, peer, handle);
  }
}

std::uint32_t World::keep_frame(std::span<const std::byte> bytes) {
  if (frames_free_.empty()) {
    frames_free_.push_back(static_cast<std::uint32_t>(frames_.size()));
    frames_.emplace_back();
  }
  const std::uint32_t handle = frames_free_.back();
  frames_free_.pop_back();
  frames_[handle].bytes.assign(bytes.begin(), bytes.end());
  return handle;
}

void World::arrive_at_broker(std::uint32_t peer, Frame& frame) {
  const Host& host = peers_[peer].host;
  if (links_down_ns_[raw(host.port())] > now_ns_ || broker_ == nullptr) return;
  const auto found = peek(frame.bytes);
  const std::uint16_t port = found ? found->destination.port : std::uint16_t{0};
  const std::uint32_t core = broker_->inject(host.port(), port, peer * 64 + port, frame.bytes);
  if (core == Broker::kNobody) {
    ++coverage_.no_buffer;
    return trace_.note(now_ns_, "no buffer", peer);
  }
  // A damaged frame may be sound all the same: IPv6 has no checksum over its hop limit.
  if (found) {
    const std::uint64_t read_ns = now_ns_ + broker_->loops_behind(core, host.port()) * 2 * kStepNs;
    ledger_.on_arrival(wire::header_of(std::span<const std::byte>(found->datagram)), read_ns);
    newsroom_.on_arrival(found->datagram, now_ns_);
  }
  wake(core, now_ns_ + 1 + random_.below(kStepNs));
}

}  // namespace mcplane::sim
