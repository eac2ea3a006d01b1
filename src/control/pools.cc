// See pools.h.
#include "control/pools.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace mcplane::control {
namespace {

// Numbers in a snapshot follow first use, not the alphabet: sort again.
std::vector<state::NameId> intern_all(state::RouteSnapshot& snapshot, const std::vector<std::string>& names) {
  std::vector<state::NameId> ids;
  ids.reserve(names.size());
  for (const auto& name : names) ids.push_back(snapshot.intern(name));
  std::ranges::sort(ids);
  return ids;
}

// Relaxed: cores only say by it why they found nobody.
void publish_admitting(const Pool& pool) noexcept {
  pool.load->admitting.store(pool.up - pool.shut, std::memory_order_relaxed);
}

}  // namespace

Pool& Pools::join(const wire::HelloBody& hello, state::WorkerLine& line, WorkerId worker) {
  CapabilitySet set{hello.actions, hello.models, hello.tags};
  auto& [key, pool] = *pools_.try_emplace(std::move(set)).first;
  if (pool == nullptr) {
    pool = std::make_unique<Pool>();
    pool->set = &key;
  }
  pool->load->place(line, worker);
  ++workers_;
  changed_ = changed_ || pool->up == 0;
  ++pool->up;
  publish_admitting(*pool);
  return *pool;
}

void Pools::turn(Pool& pool, BreakerState before, BreakerState after) noexcept {
  pool.out += (after != BreakerState::kClosed ? 1U : 0U) - (before != BreakerState::kClosed ? 1U : 0U);
  pool.shut += (after == BreakerState::kOpen ? 1U : 0U) - (before == BreakerState::kOpen ? 1U : 0U);
  publish_admitting(pool);
}

void Pools::retire(Pool& pool) noexcept {
  CHECK(pool.up > 0);
  --workers_;
  --pool.up;
  publish_admitting(pool);
  changed_ = changed_ || pool.up == 0;
}

void Pools::leave(Pool& pool, state::WorkerLine& line) {
  pool.load->vacate(line);
  // The index lives on in the snapshots that name it.
  if (pool.load->placed() == 0) pools_.erase(pools_.find(*pool.set));
}

std::unique_ptr<const state::RouteSnapshot> Pools::snapshot(std::uint64_t generation) {
  auto snapshot = std::make_unique<state::RouteSnapshot>();
  snapshot->generation = generation;
  for (const auto& [set, pool] : pools_) {
    if (pool->up == 0) continue;
    state::Pool published;
    published.actions = intern_all(*snapshot, set.actions);
    published.models = intern_all(*snapshot, set.models);
    published.tags = intern_all(*snapshot, set.tags);
    published.load = pool->load;
    snapshot->add_pool(std::move(published));
  }
  changed_ = false;
  return snapshot;
}

std::size_t Pools::index_bytes() const {
  std::size_t bytes = 0;
  for (const auto& entry : pools_) bytes += entry.second->load->bytes();
  return bytes;
}

}  // namespace mcplane::control
