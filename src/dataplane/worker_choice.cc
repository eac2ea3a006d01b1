// See worker_choice.h. The index says where to look, the worker's line whether it may be: where another core was
// faster, or control took the worker out, the search goes on.
#include "dataplane/worker_choice.h"

#include <algorithm>
#include <array>

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
  constexpr std::uint32_t kRacesMax = 8;  // that may be lost to other cores before the task waits for the next loop
  std::uint32_t races = 0;
  for (std::uint32_t level = lowest_level(pools, 0); level < state::kLoadLevels;
       level = lowest_level(pools, level + 1)) {
    for (std::uint32_t i = 0; i < pools.count; ++i) {
      const state::LoadIndex& index = *pools.indexes[i];
      while (index.any(level)) {
        const auto [place, worker] = index.find(level, rotor);
        if (worker == kNoWorker) break;  // another core's bit is on its way up
        rotor = place + 1;
        chosen.id = worker;
        chosen.session = shard.shared.workers.try_acquire(worker, chosen.round);
        if (chosen.session) return true;
        if (++races == kRacesMax) return false;
      }
    }
  }
  return false;
}

}  // namespace

Choice acquire_worker(Shard& shard, RouteEntry& entry, state::WorkerRef& chosen) noexcept {
  const Pools pools = pools_of(shard, entry);
  if (acquire_least_loaded(shard, pools, entry.rotor, chosen)) return Choice::kFound;
  const bool live = std::any_of(pools.indexes.begin(), pools.indexes.begin() + pools.count,
                                [](const auto* index) { return index->admitting.load(std::memory_order_relaxed) > 0; });
  return live ? Choice::kAllBusy : Choice::kNoneLive;
}

}  // namespace mcplane::dataplane
