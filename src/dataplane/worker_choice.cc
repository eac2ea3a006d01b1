// See worker_choice.h. The index says where to look, the worker's line whether it may be: where another core was
// faster, or control took the worker out, the search goes on.
#include "dataplane/worker_choice.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/planted_bug.h"
#include "dataplane/worker_policies.h"

namespace mcplane::dataplane {
namespace {

// Of a route, in the order in which they are asked.
struct Pools {
  std::array<state::LoadIndex*, state::RouteSnapshot::kPoolsPerRoute> indexes;
  std::array<SkillId, state::RouteSnapshot::kPoolsPerRoute> skills;
  std::uint32_t count = 0;
  bool some_out = false;  // some worker is out for this action alone
};

// Those with equal loads take turns as well.
Pools pools_of(const Shard& shard, RouteEntry& entry) noexcept {
  Pools pools;
  pools.count = entry.own.count;
  std::uint32_t next = pools.count > 1 ? entry.turn++ % pools.count : 0;
  for (std::uint32_t i = 0; i < pools.count; ++i) {
    pools.indexes[i] = shard.snapshot->pool(entry.own.pools[next]).load.get();
    pools.skills[i] = entry.own.skills[next];
    pools.some_out |= pools.indexes[i]->some_out(pools.skills[i]);
    next = next + 1 < pools.count ? next + 1 : 0;
  }
  return pools;
}

// The first level, from that one on, where some pool may have a worker.
std::uint32_t lowest_level(const Pools& pools, std::uint32_t from) noexcept {
  std::uint32_t level = state::kLoadLevels;
  for (std::uint32_t i = 0; i < pools.count; ++i) level = std::min(level, pools.indexes[i]->lowest(from));
  return level;
}

// Whoever is found next: his session, of which his line tells, and the line of whoever follows him.
void prefetch_next(Shard& shard, const state::LoadIndex::Found& found) noexcept {
  if (found.next == kNoWorker) return;
  const SessionId session{shard.shared.workers[found.next].session.load(std::memory_order_relaxed)};
  shard.sessions.prefetch_towards(session);
  if (found.after_next != kNoWorker) shard.shared.workers.prefetch(found.after_next);
}

// Where a route has one pool, all of whose workers are in, nearly every task finds the least loaded at the first look.
bool acquire_at_first_look(Shard& shard, const state::LoadIndex& index, SkillId skill, std::uint32_t& rotor,
                           state::WorkerRef& chosen) noexcept {
  const std::uint32_t level = index.lowest(0);
  if (level == state::kLoadLevels || index.some_out(skill)) return false;
  const state::LoadIndex::Found found = index.find(level, rotor);
  if (found.worker == kNoWorker) return false;
  rotor = found.place + 1;
  prefetch_next(shard, found);
  return try_take(shard, found.worker, skill, chosen);
}

bool acquire_least_loaded(Shard& shard, const Pools& pools, std::uint32_t& rotor, state::WorkerRef& chosen) noexcept {
  std::uint32_t races = 0;
  for (std::uint32_t level = lowest_level(pools, 0); level < state::kLoadLevels;
       level = lowest_level(pools, level + 1)) {
    for (std::uint32_t i = 0; i < pools.count; ++i) {
      const state::LoadIndex& index = *pools.indexes[i];
      while (index.any(level)) {
        const state::LoadIndex::Found found = index.find(level, rotor);
        if (found.worker == kNoWorker) break;  // another core's bit is on its way up
        rotor = found.place + 1;
        if (try_take(shard, found.worker, pools.skills[i], chosen)) return true;
        if (++races == kRacesMax) return false;
      }
    }
  }
  return false;
}

// Workers that are out for this action do others, and are listed with the rest; idle, they would be asked first, each
// time. So of a few in turn the least loaded is taken that is in: whoever was passed over has his turn next time.
bool acquire_among_few(Shard& shard, const Pools& pools, std::uint32_t& rotor, state::WorkerRef& chosen) noexcept {
  constexpr std::uint32_t kFew = 4, kPassedMax = 64;
  for (std::uint32_t i = 0; i < pools.count; ++i) {
    WorkerId best = kNoWorker;
    std::uint32_t least = ~0U, few = 0;
    for (std::uint32_t look = 0; look < kPassedMax && few < kFew; ++look) {
      const state::LoadIndex::Next next = pools.indexes[i]->next(rotor);
      if (next.worker == kNoWorker) break;
      rotor = next.place + 1;
      const state::WorkerLine& line = shard.shared.workers[next.worker];
      // A probe goes first, or it would never be its turn where others are idle.
      if (line.is_out(pools.skills[i])) {
        if (try_take(shard, next.worker, pools.skills[i], chosen)) return true;
        continue;
      }
      ++few;
      if (line.outstanding() < least) {
        least = line.outstanding();
        best = next.worker;
      }
    }
    if (best != kNoWorker && try_take(shard, best, pools.skills[i], chosen)) return true;
  }
  return false;
}

using IsIn = bool (state::LoadIndex::*)(SkillId) const noexcept;

bool some(const Pools& pools, IsIn is_in) noexcept {
  for (std::uint32_t i = 0; i < pools.count; ++i)
    if ((pools.indexes[i]->*is_in)(pools.skills[i])) return true;
  return false;
}

bool acquire(Shard& shard, const Pools& pools, std::uint32_t& rotor, state::WorkerRef& chosen) noexcept {
  return pools.some_out ? acquire_among_few(shard, pools, rotor, chosen)
                        : acquire_least_loaded(shard, pools, rotor, chosen);
}

}  // namespace

Choice acquire_worker(Shard& shard, RouteEntry& entry, const Asker& asker, state::WorkerRef& chosen) noexcept {
  if (entry.rule.policy != state::Policy::kLeastOutstanding && entry.own.count > 0 &&
      acquire_by_policy(shard, entry, asker, chosen))
    return Choice::kFound;
  if (entry.own.count == 1 && acquire_at_first_look(shard, *shard.snapshot->pool(entry.own.pools[0]).load,
                                                    entry.own.skills[0], entry.rotor, chosen)) [[likely]]
    return Choice::kFound;
  const Pools pools = pools_of(shard, entry);
  if (acquire(shard, pools, entry.rotor, chosen)) return Choice::kFound;
  if (!some(pools, &state::LoadIndex::admits)) return Choice::kNoneLive;
  // Where nothing may stand in, the next probe is worth waiting for.
  if (entry.rule.degradation == state::kNoDegradation) return Choice::kAllBusy;
  const bool trusted = some(pools, &state::LoadIndex::trusts) && !planted(PlantedBug::kDegradeBusy);
  return trusted ? Choice::kAllBusy : Choice::kOnTrial;
}

// The same search, entered from one place so that it stays inline there: the entry has other pools meanwhile.
Choice acquire_stand_in(Shard& shard, RouteEntry& entry, state::WorkerRef& chosen) noexcept {
  std::swap(entry.own, entry.stand_ins);
  const state::Policy policy = std::exchange(entry.rule.policy, state::Policy::kLeastOutstanding);
  const Choice choice = acquire_worker(shard, entry, {}, chosen);
  entry.rule.policy = policy;
  std::swap(entry.own, entry.stand_ins);
  return choice;
}

}  // namespace mcplane::dataplane
