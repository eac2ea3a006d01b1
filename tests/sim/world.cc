// See world.h. A core is stepped soon after something arrived for it and otherwise every few milliseconds: an idle loop
// in between would change nothing but the time a run takes.
#include "world.h"

#include <algorithm>

namespace mcplane::sim {
namespace {

constexpr std::uint64_t kStepNs = 8'000, kIdleStepNs = 2 * kNsPerMs, kPollNs = kNsPerMs;
constexpr std::uint64_t kStepsPerSweep = 1'000;

}  // namespace

World::World(const Options& options, bool print)
    : options_(options),
      random_(options.seed * 2 + 1),
      trace_(print),
      ledger_(verdict_),
      network_(options.faults, options.sizes.clients + options.sizes.workers, Random(options.seed * 2 + 2)),
      broker_(options),
      cores_(options.sizes.shards) {
  for (std::uint32_t i = 0; i < options_.sizes.shards; ++i) wake(i, now_ns_);
  push(now_ns_, Kind::kControl, 0);
  add_peers();
  if (options_.faults.mishap_interval_ns != 0) push(now_ns_ + 50 * kNsPerMs, Kind::kMishap, 0);
}

void World::push(std::uint64_t at_ns, Kind kind, std::uint32_t index, std::uint32_t handle) {
  events_.push({at_ns, order_++, kind, index, handle});
}

bool World::run_until(std::uint64_t until_ns, const std::function<bool()>& done) {
  while (!verdict_.failed() && !done()) {
    const Event event = events_.top();
    if (event.at_ns > until_ns) {
      now_ns_ = std::max(now_ns_, until_ns);
      return false;
    }
    events_.pop();
    now_ns_ = event.at_ns;
    handle(event);
    if (++steps_ % kStepsPerSweep == 0) check();
  }
  return !verdict_.failed();
}

void World::handle(const Event& event) {
  switch (event.kind) {
    case Kind::kCore:
      if (event.at_ns == cores_[event.index].next_ns) step_core(event.index);
      return;
    case Kind::kControl:
      return poll_control();
    case Kind::kPeerTimer:
      if (event.at_ns == peers_[event.index].timer_ns) on_timer(event.index);
      return;
    case Kind::kSend:
      return send_burst(event.index);
    case Kind::kToBroker:
      arrive_at_broker(event.index, frames_[event.handle]);
      return frames_free_.push_back(event.handle);
    case Kind::kToPeer:
      arrive_at_peer(event.index, frames_[event.handle]);
      return frames_free_.push_back(event.handle);
    case Kind::kFinish:
      return finish(event.index, event.handle);
    case Kind::kRestart:
      if (peers_[event.index].life == event.handle) start(event.index);
      return;
    case Kind::kMishap:
      return mishap();
  }
}

void World::check() {
  ledger_.sweep(now_ns_);
  if (const std::string wrong = broker_.check_all(); !wrong.empty()) verdict_.fail("4, 5, 8, 10, 12 full sweep", wrong);
}

bool World::drained() {
  return ledger_.open() == 0 && jobs_open_ == 0 && now_ns_ > network_.latest_ns() && broker_.idle();
}

void World::wake(std::uint32_t core, std::uint64_t at_ns) {
  Core& of = cores_[core];
  if (of.next_ns >= now_ns_ && of.next_ns != 0 && of.next_ns <= at_ns) return;
  of.next_ns = at_ns;
  push(at_ns, Kind::kCore, core);
}

void World::step_core(std::uint32_t core) {
  Core& of = cores_[core];
  of.next_ns = 0;
  if (of.paused_ns > now_ns_) return wake(core, of.paused_ns);
  const bool worked = broker_.step(core, now_ns_);
  of.idle = worked ? 0 : of.idle + 1;
  if (sabotage(Sabotage::kWithholdBuffer) || sabotage(Sabotage::kStealSlot) || sabotage(Sabotage::kMiscountFrame))
    broker_.sabotage(options_.sabotage);
  if (worked) {
    trace_.note(now_ns_, "core", core);
    if (const std::string wrong = broker_.check_step(core); !wrong.empty()) verdict_.fail(wrong, "");
  }
  const std::uint64_t passed_on = broker_.passed_on(core);
  if (passed_on != of.passed_on)
    for (std::uint32_t i = 0; i < cores_.size(); ++i)
      if (i != core) wake(i, now_ns_ + 1 + random_.below(kStepNs));
  of.passed_on = passed_on;
  const bool drain_later = !healed_ && chance(random_, options_.faults.late_drain);
  if (!drain_later) drain_nic(core);
  // Each loop serves one port: all have had their turn before the core is idle.
  const bool soon = drain_later || of.idle < options_.sizes.ports;
  wake(core, now_ns_ + kStepNs + (soon ? random_.below(kStepNs) : kIdleStepNs + random_.below(kIdleStepNs)));
}

void World::poll_control() {
  if (control_paused_ns_ > now_ns_) return push(control_paused_ns_, Kind::kControl, 0);
  for (std::size_t i = 0; i < broker_.link_up.size(); ++i) broker_.link_up[i] = links_down_ns_[i] <= now_ns_;
  broker_.poll(now_ns_);
  for (std::uint32_t i = 0; i < cores_.size(); ++i)
    if (broker_.has_commands(i)) wake(i, now_ns_ + 1 + random_.below(kStepNs));
  push(now_ns_ + kPollNs + random_.below(200'000), Kind::kControl, 0);
}

void World::drain_nic(std::uint32_t core) {
  if (core >= options_.sizes.queues) return;
  broker_.take_sent(core, [this](PortId port, std::span<std::byte> frame) { leave_broker(port, frame); });
}

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
    if (found) observe(wire::header_of(std::span<const std::byte>(found->datagram)), i);
    carry(i, Direction::kToPeer, frame);
  }
}

void World::observe(const wire::Header& header, std::uint32_t to) {
  const bool route = header.type() == wire::FrameType::Route;
  if (route && !broker_.relays() && options_.faults.late_drain == 0 && !broker_.admits({header.worker_session()}))
    verdict_.fail("7 no ROUTE to who was taken out", "a ROUTE to a worker that no longer admits tasks");
  const bool astray = header.type() == wire::FrameType::Deliver && sabotage(Sabotage::kMisdeliver);
  ledger_.on_broker_frame(header, astray ? to + 1 : to);
  if (route && sabotage(Sabotage::kRouteAgain)) ledger_.on_broker_frame(header, to);
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
    if (frames_[handle].corrupted) network_.corrupt(frames_[handle].bytes, found->l3_offset);
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
  if (links_down_ns_[raw(host.port())] > now_ns_) return;
  const auto found = peek(frame.bytes);
  const std::uint16_t port = found ? found->destination.port : std::uint16_t{0};
  const std::uint32_t core = broker_.inject(host.port(), port, peer * 64 + port, frame.bytes);
  if (core == Broker::kNobody) return trace_.note(now_ns_, "no buffer", peer);
  wake(core, now_ns_ + 1 + random_.below(kStepNs));
}

// Once things are under way, at the twentieth occasion, and never again.
bool World::sabotage(Sabotage what) {
  if (options_.sabotage != what || ledger_.delivered() < 10 || sabotage_due_ == 0) return false;
  return --sabotage_due_ == 0;
}

}  // namespace mcplane::sim
