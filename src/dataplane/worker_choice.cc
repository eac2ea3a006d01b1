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
  std::uint32_t count = 0;
};

// Those with equal loads take turns as well.
Pools pools_of(const Shard& shard, RouteEntry& entry) noexcept {
  Pools pools;
  pools.count = entry.pool_count;
  std::uint32_t next = pools.count > 1 ? entry.turn++ % pools.count : 0;
  for (std::uint32_t i = 0; i < pools.count; ++i) {
    pools.indexes[i] = shard.snapshot->pool(entry.pools[next]).load.get();
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

bool acquire_least_loaded(Shard& shard, const Pools& pools, std::uint32_t& rotor, state::WorkerRef& chosen) noexcept {
  std::uint32_t races = 0;
  for (std::uint32_t level = lowest_level(pools, 0); level < state::kLoadLevels;
       level = lowest_level(pools, level + 1)) {
    for (std::uint32_t i = 0; i < pools.count; ++i) {
      const state::LoadIndex& index = *pools.indexes[i];
      while (index.any(level)) {
        const auto [place, worker] = index.find(level, rotor);
        if (worker == kNoWorker) break;  // another core's bit is on its way up
        rotor = place + 1;
        if (try_take(shard, worker, chosen)) return true;
        if (++races == kRacesMax) return false;
      }
    }
  }
  return false;
}

Choice why_none(const Pools& pools, std::atomic<std::uint32_t> state::LoadIndex::*count) noexcept {
  const bool some = std::any_of(pools.indexes.begin(), pools.indexes.begin() + pools.count, [count](const auto* index) {
    return (index->*count).load(std::memory_order_relaxed) > 0;
  });
  return some ? Choice::kAllBusy : Choice::kNoneLive;
}

}  // namespace

Choice acquire_worker(Shard& shard, RouteEntry& entry, const Asker& asker, state::WorkerRef& chosen) noexcept {
  if (entry.rule.policy != state::Policy::kLeastOutstanding && entry.pool_count > 0 &&
      acquire_by_policy(shard, entry, asker, chosen))
    return Choice::kFound;
  const Pools pools = pools_of(shard, entry);
  if (acquire_least_loaded(shard, pools, entry.rotor, chosen)) return Choice::kFound;
  // Where nothing stands in, the next probe is worth waiting for.
  if (entry.rule.degradation == state::kNoDegradation) return why_none(pools, &state::LoadIndex::admitting);
  return planted(PlantedBug::kDegradeBusy) ? Choice::kNoneLive : why_none(pools, &state::LoadIndex::trusted);
}

// The same search, entered from one place so that it stays inline there: the entry has other pools meanwhile.
Choice acquire_stand_in(Shard& shard, RouteEntry& entry, state::WorkerRef& chosen) noexcept {
  const auto exchange_pools = [&entry] {
    std::swap(entry.pools, entry.stand_ins);
    std::swap(entry.pool_count, entry.stand_in_count);
  };
  exchange_pools();
  const state::Policy policy = std::exchange(entry.rule.policy, state::Policy::kLeastOutstanding);
  const Choice choice = acquire_worker(shard, entry, {}, chosen);
  entry.rule.policy = policy;
  exchange_pools();
  return choice;
}

}  // namespace mcplane::dataplane
