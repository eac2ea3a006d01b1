// Who stays and who goes. A lease is judged by the shards' own stamps and clocks (peers/lease_clock.h), never by when
// the control thread happened to look.
#include <algorithm>

#include "control/control.h"
#include "control/workers/look_ahead.h"

namespace mcplane::control {

// Backwards: ending a session moves the last live one, already visited, to its place.
void Control::sweep() {
  if (sweep_left_ == 0 && now_ns_ >= next_sweep_ns_) {
    next_sweep_ns_ = now_ns_ + kSweepIntervalNs;
    sweep_left_ = registry_.live().size();
    pools_.end_count();
  }
  sweep_left_ = std::min(sweep_left_, registry_.live().size());
  for (std::size_t looked = 0; looked < kSweptPerPoll && sweep_left_ > 0; ++looked) {
    Session& session = registry_.at(registry_.live()[--sweep_left_]);
    observe(session);
    if (lease_over(session)) {
      end_session(session, "evicted, silent for too long");
    } else if (session.phase == Phase::kDraining && now_ns_ > session.draining_ns &&
               shared_.workers[session.worker].outstanding() == 0) {
      end_session(session, "drained");
    }
  }
}

// By the stamps of its shards.
Control::Seen Control::seen(const Session& session) const noexcept {
  Seen seen;
  for_shards_of(session, [&](ShardId shard) {
    const std::uint32_t stamp =
        shared_.shards[raw(shard)]->last_seen[session.id.index()].load(std::memory_order_relaxed);
    seen.sum += stamp;
    seen.everywhere = seen.everywhere && stamp != 0;
  });
  return seen;
}

// Notes whether the session was heard from since the last sweep, and whether it was heard everywhere by now.
void Control::observe(Session& session) {
  const auto [sum, everywhere] = seen(session);
  if (sum != session.seen_sum) {
    session.seen_sum = sum;
    renew_lease(session);
  }
  // Firewalls and NAT on the way admit ROUTE from each shard's port only now.
  if (session.phase == Phase::kJoining && everywhere) bring_up(session);
  if (session.phase == Phase::kUp && session.is_worker()) {
    const ProbedHealth* const probed = session.hello.probe.asks() ? probes_.find(session.worker) : nullptr;
    pools_.count(*session.pool, shared_.workers[session.worker], session.hello.slots,
                 probed != nullptr && probed->health == Health::kAwaited);
    if (now_ns_ >= session.next_pace_ns) keep_pace(session);
  }
}

// Slots, and as many more as hide the round trip to it; while it starts slowly, fewer; while it is suspected, none.
void Control::keep_pace(Session& session) {
  session.next_pace_ns = now_ns_ + kPaceIntervalNs;
  session.tally.look(shared_, session.worker);
  const std::uint16_t slots = session.hello.slots;
  state::WorkerLine& line = shared_.workers[session.worker];
  const std::uint64_t up_ns = now_ns_ - session.up_at_ns, slow_start_ns = settings_->slow_start_ns;
  std::uint32_t bound = slots + look_ahead(slots, line.pace, options_.look_ahead_max);
  if (up_ns < slow_start_ns) bound = 1 + static_cast<std::uint32_t>((slots - 1) * up_ns / slow_start_ns);
  if (session.suspected) bound = 0;
  if (bound == line.bound.load(std::memory_order_relaxed)) return;
  line.bound.store(bound, std::memory_order_relaxed);
  refresh_worker(session);
}

void Control::bring_up(Session& session) {
  session.phase = Phase::kUp;
  session.up_at_ns = now_ns_;
  session.tally.begin(shared_, session.worker);
  const bool probed = session.hello.probe.asks() && options_.prober != nullptr;
  breakers_.begin(session.worker, probed ? Health::kAwaited : Health::kUp, now_ns_);
  session.pool = &pools_.join(session.hello, session.path.peer, shared_.workers[session.worker], session.worker);
  session.skills_counted = true;
  let_skills_in(session, true);
  keep_pace(session);
  begin_probing(session);
  refresh_worker(session);
}

// One core tells all, through the index. Whose it is does not matter; the owner's has the session's other commands.
void Control::refresh_worker(const Session& session) {
  state::Command command{};
  command.kind = state::CommandKind::kRefreshWorker;
  command.record.worker = session.worker;
  queue(session.owner).push(command);
}

// Heard from, by a frame on a shard or a HELLO here.
void Control::renew_lease(Session& session) noexcept {
  session.heard_at_ns = now_ns_;
  for_shards_of(session,
                [&](ShardId shard) { session.heard_ns[raw(shard)] = lease_clock_.read_ns(shard, session.path.port); });
}

// Every shard that could have heard it ran for that long and did not: one that stands still may hold its PING.
bool Control::lease_over(const Session& session) const noexcept {
  const std::uint64_t lease_ns = std::uint64_t{kMissedHeartbeats} * pace_of(session).judged_ms() * kNsPerMs;
  bool over = true;
  for_shards_of(session, [&](ShardId shard) {
    over = over && lease_clock_.read_ns(shard, session.path.port) - session.heard_ns[raw(shard)] >= lease_ns;
  });
  return over;
}

void Control::start_drain(Session& session) {
  if (session.phase == Phase::kUp) retire(session);
  session.phase = Phase::kDraining;
  session.draining_ns = now_ns_;
  // Relaxed: a core that misses it routes one more task, which the drain waits for.
  shared_.workers[session.worker].admits.store(0, std::memory_order_relaxed);
  refresh_worker(session);
  log_.info(now_ns_, "draining worker '{}' {:08x}", session.hello.name, session.id.value);
}

void Control::end_session(Session& session, std::string_view why) {
  if (session.is_worker()) {
    if (session.phase == Phase::kUp) retire(session);
    state::WorkerLine& line = shared_.workers[session.worker];
    // Relaxed: a core that acquires meanwhile gets the session's end by its ring, and fails the task over. That
    // command is also what takes the line out of the index.
    line.admits.store(0, std::memory_order_relaxed);
    line.session.store(0, std::memory_order_relaxed);
  }
  state::Command command{};
  command.kind = state::CommandKind::kEndSession;
  command.record.id = session.id;
  for_shards_of(session, [&](ShardId shard) { queue(shard).push(command); });
  subscriptions_.remove_all(session.id);
  registry_.begin_end(session);
  log_.info(now_ns_, "{} '{}' {:08x} at {}: {}", session.is_worker() ? "worker" : "client", session.hello.name,
            session.id.value, wire::to_string(session.path.peer), why);
}

void Control::publish_if_due() {
  pools_.make_orders(kOrderStepsPerPoll);
  const std::size_t retired = shared_.routes.reclaim();
  if (pools_.changed()) {
    if (now_ns_ < next_publish_ns_ || retired >= kRetiredMax) return;
    shared_.routes.publish(pools_.snapshot(++generation_));
    next_publish_ns_ = now_ns_ + kPublishIntervalNs;
  }
  published_workers_ = pools_.workers();
}

}  // namespace mcplane::control
