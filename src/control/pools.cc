// Capability lists are sorted and unique since registration, so equal sets compare equal.
#include "control/pools.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace mcplane::control {
namespace {

using Names = std::vector<std::string>;
using CapabilitySet = std::tuple<const Names&, const Names&, const Names&>;

// Numbers in a snapshot follow first use, not the alphabet: sort again.
std::vector<state::NameId> intern_all(state::RouteSnapshot& snapshot, const Names& names) {
  std::vector<state::NameId> ids;
  ids.reserve(names.size());
  for (const auto& name : names) ids.push_back(snapshot.intern(name));
  std::ranges::sort(ids);
  return ids;
}

}  // namespace

Publication build_snapshot(const Registry& registry, std::uint64_t generation) {
  std::map<CapabilitySet, std::vector<state::WorkerRef>> pools;
  std::size_t count = 0;
  for (const std::uint32_t index : registry.live()) {
    const Session& session = registry.at(index);
    if (!session.is_worker() || session.phase != Phase::kUp) continue;
    const CapabilitySet set(session.hello.actions, session.hello.models, session.hello.tags);
    pools[set].push_back({session.worker, session.id});
    ++count;
  }
  auto snapshot = std::make_unique<state::RouteSnapshot>();
  snapshot->generation = generation;
  for (auto& [set, workers] : pools) {
    std::ranges::sort(workers, {}, [](const state::WorkerRef& worker) { return raw(worker.id); });
    state::Pool pool;
    pool.actions = intern_all(*snapshot, std::get<0>(set));
    pool.models = intern_all(*snapshot, std::get<1>(set));
    pool.tags = intern_all(*snapshot, std::get<2>(set));
    pool.workers = std::move(workers);
    snapshot->add_pool(std::move(pool));
  }
  return {std::move(snapshot), count};
}

}  // namespace mcplane::control
