// See breakers.h.
#include "control/breakers.h"

#include <algorithm>

namespace mcplane::control {

Breakers::Breakers(const state::Shared& shared, const BreakerSettings& given, Random random)
    : settings(given),
      shared_(shared),
      random_(random),
      all_(shared.workers.capacity()),
      heard_(shared.workers.capacity() * shared.shards.size()),
      place_(shared.workers.capacity()) {}

void Breakers::begin(WorkerId worker, Health health, std::uint64_t now_ns) {
  const BreakerState before = all_[raw(worker)].state();
  all_[raw(worker)] = Breaker(health, now_ns);
  skip(worker);
  note(worker, before, BreakerChange::kNone);
}

// The last takes the place of who leaves: thousands may come and go in an interval of probes.
void Breakers::list(WorkerId worker) {
  place_[raw(worker)] = static_cast<std::uint32_t>(not_closed_.size());
  not_closed_.push_back(worker);
}

void Breakers::unlist(WorkerId worker) noexcept {
  const WorkerId last = not_closed_.back();
  not_closed_[place_[raw(worker)]] = last;
  place_[raw(last)] = place_[raw(worker)];
  not_closed_.pop_back();
}

void Breakers::skip(WorkerId worker) noexcept {
  for (std::size_t shard = 0; shard < shared_.shards.size(); ++shard)
    heard(shard, worker) = shared_.shards[shard]->outcomes.read(worker).count();
}

BreakerChange Breakers::hear(WorkerId worker, std::uint64_t now_ns, bool may_open) {
  Breaker& breaker = all_[raw(worker)];
  const BreakerState before = breaker.state();
  const BreakerContext at = context(now_ns, may_open);
  BreakerChange heard_change = BreakerChange::kNone;
  for (std::size_t shard = 0; shard < shared_.shards.size(); ++shard) {
    const state::OutcomeWord word = shared_.shards[shard]->outcomes.read(worker);
    std::uint16_t& known = heard(shard, worker);
    // Older than a window is of no interest.
    std::uint32_t fresh =
        std::min<std::uint32_t>(static_cast<std::uint16_t>(word.count() - known), Breaker::kWindowMax);
    known = word.count();
    for (; fresh > 0; --fresh) {
      const BreakerChange change = breaker.on_outcome(word.failed(fresh - 1), at);
      if (change == BreakerChange::kOpened) {
        skip(worker);
        return note(worker, before, change);
      }
      // Held back, right after it closed: the gate is to open all the same.
      if (change != BreakerChange::kNone && heard_change == BreakerChange::kNone) heard_change = change;
    }
  }
  return note(worker, before, heard_change);
}

BreakerChange Breakers::poll(WorkerId worker, std::uint64_t now_ns, bool probes_run) {
  Breaker& breaker = all_[raw(worker)];
  BreakerContext at = context(now_ns);
  at.probes_run = probes_run;
  const BreakerState before = breaker.state();
  if (before == BreakerState::kOpen) skip(worker);
  return note(worker, before, breaker.poll(at));
}

BreakerChange Breakers::force(WorkerId worker, BreakerMode mode, std::uint64_t now_ns, bool may_open) {
  Breaker& breaker = all_[raw(worker)];
  const BreakerState before = breaker.state();
  skip(worker);
  return note(worker, before, breaker.force(mode, context(now_ns, may_open)));
}

BreakerChange Breakers::on_health(WorkerId worker, Health health, std::uint64_t now_ns, bool may_open) {
  Breaker& breaker = all_[raw(worker)];
  const BreakerState before = breaker.state();
  if (before == BreakerState::kOpen) skip(worker);
  return note(worker, before, breaker.on_health(health, context(now_ns, may_open)));
}

BreakerChange Breakers::note(WorkerId worker, BreakerState before, BreakerChange change) {
  const Breaker& breaker = all_[raw(worker)];
  const bool was_closed = before == BreakerState::kClosed, is_closed = breaker.state() == BreakerState::kClosed;
  if (was_closed && !is_closed) list(worker);
  if (!was_closed && is_closed) unlist(worker);
  next_due_ns_ = std::min(next_due_ns_, breaker.due_ns());
  return change;
}

void Breakers::find_next_due() noexcept {
  next_due_ns_ = Breaker::kNever;
  for (const WorkerId worker : not_closed_) next_due_ns_ = std::min(next_due_ns_, all_[raw(worker)].due_ns());
}

}  // namespace mcplane::control
