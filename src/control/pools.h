// Workers by capability set, and from that what cores route by. A worker that joins a pool there is already, or leaves
// one where others stay, costs the same whatever their number, and no publication. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "control/breaker.h"
#include "state/route_snapshot.h"
#include "state/worker_table.h"
#include "wire/registration.h"

namespace mcplane::control {

// Each list sorted and unique since registration, so equal sets compare equal.
struct CapabilitySet {
  std::vector<std::string> actions, models, tags;

  friend bool operator<(const CapabilitySet& a, const CapabilitySet& b) {
    return std::tie(a.actions, a.models, a.tags) < std::tie(b.actions, b.models, b.tags);
  }
};

struct Pool {
  const CapabilitySet* set = nullptr;  // the key it is found by
  std::shared_ptr<state::LoadIndex> load = std::make_shared<state::LoadIndex>();
  std::uint32_t up = 0;    // workers that take new tasks, as far as their breakers let them
  std::uint32_t out = 0;   // of them, those whose breakers are not closed
  std::uint32_t shut = 0;  // and of those, the ones whose are open
};

class Pools {
 public:
  // The worker may have tasks from now on; a shard is to refresh it.
  Pool& join(const wire::HelloBody& hello, state::WorkerLine& line, WorkerId worker);
  // The breaker of a worker that is up went from one state to another.
  void turn(Pool& pool, BreakerState before, BreakerState after) noexcept;
  // No new tasks; its breaker is closed, or was turned so.
  void retire(Pool& pool) noexcept;
  // Every shard has let go of the worker, which is retired: its place is free for another.
  void leave(Pool& pool, state::WorkerLine& line);

  // A pool has become empty, or is empty no longer, since the last snapshot().
  bool changed() const noexcept { return changed_; }
  // Pools with workers, ordered by their sets: equal pools give equal snapshots.
  std::unique_ptr<const state::RouteSnapshot> snapshot(std::uint64_t generation);

  std::uint32_t workers() const noexcept { return workers_; }  // that take new tasks
  std::size_t index_bytes() const;

 private:
  std::map<CapabilitySet, std::unique_ptr<Pool>> pools_;
  std::uint32_t workers_ = 0;
  bool changed_ = false;
};

}  // namespace mcplane::control
