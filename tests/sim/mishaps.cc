// What befalls machines: each mishap has a victim and a length of its own, and ends by itself or with the heal.
#include <algorithm>

#include "world.h"

namespace mcplane::sim {

void World::mishap() {
  if (healed_) return;
  const bool promised = options_.promise != Promise::kNone;
  push(now_ns_ + 1 + between_ns(random_, 0, 2 * options_.faults.mishap_interval_ns), Kind::kMishap, 0);
  const auto what = static_cast<Mishap>(random_.below(kMishaps));
  if (!options_.faults.mishaps[static_cast<std::size_t>(what)] || (promised && now_ns_ < calm_ns_)) return;
  // One outage on the heels of another is a longer one.
  calm_ns_ = now_ns_ + std::max(options_.faults.pause_max_ns, options_.faults.stall_max_ns) + 300 * kNsPerMs;
  befall(what);
}

std::optional<std::uint32_t> World::draw_peer(bool client) {
  const Sizes& sizes = options_.sizes;
  const std::uint32_t index =
      client ? random_.below(sizes.clients) : sizes.clients + random_.below(sizes.workers + sizes.shadow_workers);
  if (peers_[index].down() || peers_[index].leaving) return std::nullopt;
  return index;
}

void World::leave(std::uint32_t index) {
  Peer& peer = peers_[index];
  peer.leaving = true;
  if (peer.client) {
    peer.client->close(now_ns_, out_, done_);
    on_completions();
  } else {
    peer.worker->close(now_ns_, out_);
  }
  flush(index);
}

void World::befall(Mishap what) {
  const Faults& faults = options_.faults;
  const auto until = [&](std::uint64_t longest_ns) { return now_ns_ + between_ns(random_, kNsPerMs, longest_ns); };
  const auto direction = static_cast<Direction>(random_.below(2));
  const std::uint32_t anybody = random_.below(static_cast<std::uint32_t>(peers_.size()));
  trace_.note(now_ns_, kMishapNames[static_cast<std::size_t>(what)], anybody);
  ++coverage_.mishaps[static_cast<std::size_t>(what)];
  switch (what) {
    case Mishap::kClog:
      return network_.clog(anybody, direction, until(faults.clog_max_ns));
    case Mishap::kPartition: {
      const std::uint64_t ends_ns = until(faults.partition_max_ns);
      const bool whole_port = chance(random_, 0.2);
      for (std::uint32_t i = 0; i < peers_.size(); ++i)
        if (i == anybody || (whole_port && peers_[i].host.port() == peers_[anybody].host.port()))
          network_.partition(i, direction, ends_ns);
      return;
    }
    case Mishap::kWorkerCrash:
    case Mishap::kClientCrash:
    case Mishap::kWorkerLeave:
    case Mishap::kClientLeave: {
      const auto victim = draw_peer(what == Mishap::kClientCrash || what == Mishap::kClientLeave);
      if (!victim) return;
      const bool crash = what == Mishap::kWorkerCrash || what == Mishap::kClientCrash;
      crash ? stop(*victim) : leave(*victim);
      return push(until(faults.down_max_ns), Kind::kRestart, *victim, peers_[*victim].life);
    }
    case Mishap::kCorePause:
      cores_[random_.below(options_.sizes.shards)].paused_ns = until(faults.pause_max_ns);
      return;
    case Mishap::kControlStall:
      control_paused_ns_ = until(faults.stall_max_ns);
      return;
    case Mishap::kLinkFlap: {
      const std::uint32_t port = random_.below(options_.sizes.ports);
      if (links_down_ns_[port] <= now_ns_) links_went_ns_[port] = now_ns_;
      links_down_ns_[port] = until(faults.pause_max_ns);
      return;
    }
    case Mishap::kBrokerRestart:
      if (broker_ == nullptr) return;
      stop_broker();
      return push(until(faults.down_max_ns), Kind::kBrokerStart, 0, broker_life_);
    case Mishap::kRingFull:
      cores_[random_.below(options_.sizes.queues)].ring_full_ns = until(faults.pause_max_ns);
      return;
    case Mishap::kPoolExhaustion:
      if (broker_ == nullptr) return;
      exhausted_ns_ = until(faults.pause_max_ns);
      broker_->exhaust_buffers();
      return push(exhausted_ns_, Kind::kBuffersBack, 0);
    case Mishap::kCount:
      return;
  }
}

// Events that are queued for the end of a pause stay queued: each is at most one mishap away.
void World::heal() {
  healed_ = true;
  trace_.note(now_ns_, "heals", 0);
  network_.heal();
  control_paused_ns_ = links_down_ns_[0] = links_down_ns_[1] = 0;
  if (broker_ == nullptr) start_broker();
  broker_->release_buffers();
  broker_->prober().heal();
  exhausted_ns_ = 0;
  for (Core& core : cores_) core.paused_ns = core.ring_full_ns = 0;
  if (options_.drain_broker) broker_->control().drain();
  for (std::uint32_t i = 0; i < peers_.size(); ++i)
    if (peers_[i].down() || peers_[i].leaving) start(i);
}

bool World::everybody_registered() const {
  return std::ranges::all_of(peers_, [this](const Peer& peer) {
    return !peer.down() && peer.session().registered() && broker_->knows(peer.session().id(), peer.hello.instance);
  });
}

}  // namespace mcplane::sim
