// See breakers.h.
#include "control/workers/breakers.h"

#include <algorithm>

namespace mcplane::control {

Breakers::Breakers(const state::Shared& shared, const BreakerSettings& given, Random random)
    : settings(given),
      shared_(shared),
      random_(random),
      heard_(std::size_t{shared.workers.capacity()} * (1 + kSkillsMax) * shared.shards.size()) {}

void Breakers::begin(const BreakerId& id, Health health, std::uint64_t now_ns) {
  const BreakerState before = (*this)[id].state();
  skip(id);
  if (before != BreakerState::kClosed) unlist(id);
  if (health == Health::kUp) {
    made_.erase(index(id));
  } else {
    made_[index(id)] = {.breaker = Breaker(health, now_ns)};
    list(id);
  }
}

// The last takes the place of who leaves: thousands may come and go in an interval of probes.
void Breakers::list(const BreakerId& id) {
  made_[index(id)].place = static_cast<std::uint32_t>(not_closed_.size());
  not_closed_.push_back(id);
}

void Breakers::unlist(const BreakerId& id) noexcept {
  const std::uint32_t place = made_[index(id)].place;
  const BreakerId last = not_closed_.back();
  not_closed_[place] = last;
  made_[index(last)].place = place;
  not_closed_.pop_back();
}

void Breakers::forget(const BreakerId& id) {
  if (const auto made = made_.find(index(id)); made != made_.end()) made->second.breaker.forget();
  skip(id);
}

const Breaker& Breakers::operator[](const BreakerId& id) const noexcept {
  static const Breaker closed;
  const auto found = made_.find(index(id));
  return found != made_.end() ? found->second.breaker : closed;
}

state::OutcomeWord Breakers::read(std::size_t shard, const BreakerId& id) const noexcept {
  if (!id.skill) return shared_.shards[shard]->outcomes.read(id.worker);
  return shared_.workers[id.worker].skills->read(ShardId(static_cast<std::uint8_t>(shard)), *id.skill);
}

void Breakers::skip(const BreakerId& id) noexcept {
  for (std::size_t shard = 0; shard < shared_.shards.size(); ++shard) heard(shard, id) = read(shard, id).count();
}

BreakerChange Breakers::hear(const BreakerId& id, std::uint64_t now_ns, bool may_open) {
  Breaker& breaker = made_[index(id)].breaker;
  const BreakerState before = breaker.state();
  const BreakerContext at = context(now_ns, may_open);
  BreakerChange heard_change = BreakerChange::kNone;
  for (std::size_t shard = 0; shard < shared_.shards.size(); ++shard) {
    const state::OutcomeWord word = read(shard, id);
    std::uint16_t& known = heard(shard, id);
    // Older than a window is of no interest.
    std::uint32_t fresh =
        std::min<std::uint32_t>(static_cast<std::uint16_t>(word.count() - known), Breaker::kWindowMax);
    known = word.count();
    for (; fresh > 0; --fresh) {
      const BreakerChange change = breaker.on_outcome(word.failed(fresh - 1), at);
      if (change == BreakerChange::kOpened) {
        skip(id);
        return note(id, before, change);
      }
      // Held back, right after it closed: the gate is to open all the same.
      if (change != BreakerChange::kNone && heard_change == BreakerChange::kNone) heard_change = change;
    }
  }
  return note(id, before, heard_change);
}

BreakerChange Breakers::poll(const BreakerId& id, std::uint64_t now_ns, bool probes_run) {
  Breaker& breaker = made_[index(id)].breaker;
  BreakerContext at = context(now_ns);
  at.probes_run = probes_run;
  const BreakerState before = breaker.state();
  if (before == BreakerState::kOpen) skip(id);
  return note(id, before, breaker.poll(at));
}

BreakerChange Breakers::force(const BreakerId& id, BreakerMode mode, std::uint64_t now_ns, bool may_open) {
  Breaker& breaker = made_[index(id)].breaker;
  const BreakerState before = breaker.state();
  skip(id);
  return note(id, before, breaker.force(mode, context(now_ns, may_open)));
}

BreakerChange Breakers::on_health(const BreakerId& id, Health health, std::uint64_t now_ns, bool may_open) {
  Breaker& breaker = made_[index(id)].breaker;
  const BreakerState before = breaker.state();
  if (before == BreakerState::kOpen) skip(id);
  return note(id, before, breaker.on_health(health, context(now_ns, may_open)));
}

BreakerChange Breakers::note(const BreakerId& id, BreakerState before, BreakerChange change) {
  const Breaker& breaker = (*this)[id];
  const bool was_closed = before == BreakerState::kClosed, is_closed = breaker.state() == BreakerState::kClosed;
  if (was_closed && !is_closed) list(id);
  if (!was_closed && is_closed) unlist(id);
  next_due_ns_ = std::min(next_due_ns_, breaker.due_ns());
  return change;
}

void Breakers::find_next_due() noexcept {
  next_due_ns_ = Breaker::kNever;
  for (const BreakerId& id : not_closed_) next_due_ns_ = std::min(next_due_ns_, (*this)[id].due_ns());
}

}  // namespace mcplane::control
