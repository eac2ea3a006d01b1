// See world.h. A core is stepped soon after something arrived for it and otherwise every few milliseconds: an idle loop
// in between would change nothing but the time a run takes.
#include "world.h"

#include <algorithm>

namespace mcplane::sim {
namespace {

constexpr std::uint32_t kIdleStepNs = 2'000'000, kPunctualStepNs = 100'000;
constexpr std::uint64_t kPollNs = kNsPerMs;
// By then control has seen that a link is down, and what came before.
constexpr std::uint64_t kLinkWatchNs = 30 * kNsPerMs;
constexpr std::uint64_t kStepsPerSweep = 1'000;

}  // namespace

World::World(const Options& options, bool print)
    : options_(options),
      random_(options.seed * 2 + 1),
      trace_(print),
      ledger_(verdict_),
      network_(options.faults, options.sizes.clients + options.sizes.workers + options.sizes.shadow_workers,
               Random(options.seed * 2 + 2)),
      newsroom_(verdict_, options_, options.sizes.clients + options.sizes.workers + options.sizes.shadow_workers,
                Random(~options.seed)),
      cores_(options.sizes.shards),
      sending_(options.promise == Promise::kNone) {
  start_broker();
  add_peers();
  if (!sending_) network_.heal();
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
      if (event.handle == broker_life_) poll_control();
      return;
    case Kind::kPeerTimer:
      if (event.at_ns == peers_[event.index].timer_ns) on_timer(event.index);
      return;
    case Kind::kSend:
      return send_burst(event.index);
    case Kind::kCancel:
      return cancel(event.index, event.handle);
    case Kind::kNews:
      return send_news(event.index);
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
    case Kind::kBrokerStart:
      if (event.handle == broker_life_) start_broker();
      return;
    case Kind::kBuffersBack:
      if (broker_ != nullptr && now_ns_ >= exhausted_ns_) broker_->release_buffers();
      return;
  }
}

void World::start_sending() {
  sending_ = true;
  network_.spoil(options_.faults);
}

void World::start_broker() {
  broker_ = std::make_unique<Broker>(options_, ++broker_life_, now_ns_);
  trace_.note(now_ns_, "broker starts", broker_life_);
  std::ranges::fill(cores_, Core{});
  for (std::uint32_t i = 0; i < cores_.size(); ++i) wake(i, now_ns_);
  push(now_ns_, Kind::kControl, 0, broker_life_);
}

// With all it knows, and with the frames that its NIC has not sent.
void World::stop_broker() {
  check();
  count_broker();
  broker_.reset();
  ++broker_life_;
}

void World::count_broker() {
  for (std::size_t i = 0; i < kDropReasons; ++i) coverage_.dropped[i] += broker_->dropped(static_cast<DropReason>(i));
  coverage_.not_taken += broker_->not_taken();
  coverage_.probes += broker_->probes();
  coverage_.skill_probes += broker_->skill_probes();
  for (std::size_t kind = 0; kind < wire::kSubstitutes; ++kind)
    coverage_.degraded[kind] += broker_->degraded(wire::Substitute(kind));
  coverage_.shadow += broker_->accepted(true);
  coverage_.copied += broker_->copied();
}

Coverage World::coverage() {
  if (broker_ != nullptr) count_broker();
  coverage_.events = newsroom_.events();
  coverage_.again = ledger_.traffic().again;
  coverage_.resends = ledger_.traffic()[wire::FrameType::Resend];
  coverage_.executed_again = ledger_.executed_again();
  return coverage_;
}

void World::check() {
  ledger_.sweep(now_ns_);
  if (broker_ == nullptr) return;
  if (const std::string wrong = broker_->check_all(); !wrong.empty())
    verdict_.fail("4, 5, 8, 10, 12 full sweep", wrong);
  for (const bool shadow : {false, true}) {
    const Ledger::Begun begun = ledger_.begun(broker_->boot_id(), shadow);
    const std::uint64_t accepted = broker_->accepted(shadow);
    if (accepted < begun.routed || accepted > begun.sent)
      verdict_.fail("13 each kind has its books", shadow ? "of shadow tasks" : "of production");
  }
}

bool World::drained() {
  return ledger_.open() == 0 && jobs_open_ == 0 && now_ns_ > network_.latest_ns() && broker_->idle();
}

std::string World::check_endpoints() const {
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const Peer& peer = peers_[i];
    const std::string who = std::to_string(i);
    if (peer.client && peer.client->in_flight() != 0) return "client " + who + " has tasks in flight";
    if (!peer.session().registered()) continue;  // where the broker drains, nobody comes back to tell of what it kept
    const bool whole = !peer.client || peer.client->slots_free() == peer.client->session().slot_limit();
    if (!whole) return "client " + who + " has slots that are not free";
    if (peer.worker && peer.worker->running() != 0) return "worker " + who + " runs tasks";
    if (peer.worker && peer.worker->kept() != 0) return "worker " + who + " keeps RESULTs";
  }
  return {};
}

void World::wake(std::uint32_t core, std::uint64_t at_ns) {
  Core& of = cores_[core];
  if (of.next_ns >= now_ns_ && of.next_ns != 0 && of.next_ns <= at_ns) return;
  of.next_ns = at_ns;
  push(at_ns, Kind::kCore, core);
}

void World::step_core(std::uint32_t core) {
  if (broker_ == nullptr) return;
  Core& of = cores_[core];
  of.next_ns = 0;
  if (of.paused_ns > now_ns_) return wake(core, of.paused_ns);
  if (of.undrained_ns == 0) of.undrained_ns = now_ns_;
  const bool worked = broker_->step(core, now_ns_);
  if (exhausted_ns_ > now_ns_) broker_->exhaust_buffers();
  of.idle = worked ? 0 : of.idle + 1;
  if (sabotage(Sabotage::kWithholdBuffer) || sabotage(Sabotage::kStealSlot) || sabotage(Sabotage::kMiscountFrame))
    broker_->sabotage(options_.sabotage);
  if (worked) {
    trace_.note(now_ns_, "core", core);
    if (const std::string wrong = broker_->check_step(core); !wrong.empty()) verdict_.fail(wrong, "");
  }
  const std::uint64_t passed_on = broker_->passed_on(core);
  if (passed_on != of.passed_on)
    for (std::uint32_t i = 0; i < cores_.size(); ++i)
      if (i != core) wake(i, now_ns_ + 1 + random_.below(kStepNs));
  of.passed_on = passed_on;
  const bool drain_later = !healed_ && chance(random_, options_.faults.late_drain);
  if (!drain_later && of.ring_full_ns <= now_ns_) drain_nic(core);
  // Each loop serves one port: all have had their turn before the core is idle.
  const bool soon = drain_later || of.idle < options_.sizes.ports;
  // Where the time that acknowledgements take matters, a core looks at its timers as often as a real one.
  const bool punctual = options_.promise == Promise::kEconomy && !healed_;
  const std::uint32_t idle_ns = punctual ? kPunctualStepNs : kIdleStepNs;
  wake(core, now_ns_ + kStepNs + (soon ? random_.below(kStepNs) : idle_ns + random_.below(idle_ns)));
}

void World::poll_control() {
  if (control_paused_ns_ > now_ns_) return push(control_paused_ns_, Kind::kControl, 0, broker_life_);
  for (std::size_t i = 0; i < broker_->link_up.size(); ++i) broker_->link_up[i] = links_down_ns_[i] <= now_ns_;
  // Nobody behind a link that is down can say BYE or begin anew, once what came before has been read.
  const bool read =
      !options_.faults.may_befall(Mishap::kCorePause) && !options_.faults.may_befall(Mishap::kControlStall);
  std::array<bool, 2> cut_off{};
  for (std::size_t i = 0; i < cut_off.size(); ++i)
    cut_off[i] = read && links_down_ns_[i] > now_ns_ && now_ns_ - links_went_ns_[i] > kLinkWatchNs;
  if (!broker_->poll(now_ns_, cut_off))
    verdict_.fail("no eviction without a link", "a session ended whose link was down");
  if (broker_->any_out()) ++coverage_.polls_out;
  if (broker_->any_down()) ++coverage_.polls_down;
  for (std::uint32_t i = 0; i < cores_.size(); ++i)
    if (broker_->has_commands(i)) wake(i, now_ns_ + 1 + random_.below(kStepNs));
  push(now_ns_ + kPollNs + random_.below(200'000), Kind::kControl, 0, broker_life_);
}

void World::drain_nic(std::uint32_t core) {
  since_ns_ = cores_[core].undrained_ns;
  if (!broker_->keeps_frames(core)) cores_[core].undrained_ns = 0;
  if (core >= options_.sizes.queues) return;
  broker_->take_sent(core, [this](PortId port, std::span<std::byte> frame) { leave_broker(port, frame); });
}

// Once things are under way, at the twentieth occasion, and never again.
bool World::sabotage(Sabotage what) {
  if (options_.sabotage != what || ledger_.delivered() < 10 || sabotage_due_ == 0) return false;
  return --sabotage_due_ == 0;
}

}  // namespace mcplane::sim
