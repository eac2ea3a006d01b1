// What routing knows about the world, immutable once published: names and pools. A worker is in exactly one pool, its
// canonical capability set (actions, models, tags); which workers, and how loaded they are, changes without a new
// snapshot, in the pool's index (load_index.h).
// The control thread builds and publishes; cores read between two quiescent points (state/rcu.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/types.h"
#include "state/counters.h"
#include "state/load_index.h"
#include "state/route_rule.h"

namespace mcplane::state {

// A name (action, model or tag) that some registered worker uses, by its number in this snapshot.
using NameId = std::uint32_t;

struct Pool {
  std::vector<NameId> actions;       // in the order of SkillId
  std::vector<NameId> models, tags;  // each sorted
  // Of its workers; lives as long as a snapshot names it. One worker was placed before the first does.
  std::shared_ptr<LoadIndex> load;
  bool shadow = false;       // its workers take shadow tasks, and no others
  std::uint64_t key = 0;     // of its capability set, the same wherever and whenever
  std::uint32_t weight = 0;  // sum of its workers'
  // Null or not empty; null unless some rule's policy asks for it, and until it is made.
  std::shared_ptr<const WorkerOrder> turns{}, hashed{};
};

class RouteSnapshot {
 public:
  static constexpr std::size_t kPoolsPerRoute = 8;
  using PoolList = std::array<std::uint32_t, kPoolsPerRoute>;

  // Control thread, before publication.
  NameId intern(std::string_view name);
  std::uint32_t add_pool(Pool pool);
  // Of an action, "*" for all, and of a model, "" for all. The first added that matches holds.
  void add_rule(std::string_view action, std::string_view model, const RouteRule& rule);

  // By number, from 1 (state/counters.h).
  void set_actions(std::vector<std::string> names) { actions_ = std::move(names); }

  // Returns its number, for a rule.
  std::uint16_t add_degradation(Degradation degradation);

  // The pools of that kind that serve (action, model or any, all tags), at most kPoolsPerRoute of them, in pool order;
  // returns how many were written. Cost: a hash look-up a name, then a walk of all pools. Cores call it once a selector
  // and snapshot (dataplane/route_cache.h). Allocates nothing.
  std::size_t resolve(std::string_view action, std::string_view model, std::span<const std::string_view> tags,
                      PoolList& pools, bool shadow = false) const noexcept;

  // Which of the pool's actions that is; one that resolve() found it by.
  SkillId skill_of(std::uint32_t pool, std::string_view action) const noexcept;

  // What holds for the tasks of a selector; the defaults when nothing was said. Cost: a walk of all rules; cores call
  // it with resolve().
  RouteRule rule_of(std::string_view action, std::string_view model) const noexcept;

  // In whose books tasks of that action are. Cost: a walk of all names; cores call it with resolve().
  std::uint8_t action_of(std::string_view action) const noexcept;

  const Pool& pool(std::uint32_t index) const noexcept { return pools_[index]; }
  std::span<const Pool> pools() const noexcept { return pools_; }
  // Of a rule of this snapshot that has one.
  const Degradation& degradation(std::uint16_t number) const noexcept { return degradations_[number]; }
  std::uint64_t generation = 0;
  Limit client_limit;  // of each client

 private:
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>{}(name); }
  };

  std::optional<NameId> find(std::string_view name) const noexcept;

  std::unordered_map<std::string, NameId, NameHash, std::equal_to<>> names_;
  struct NamedRule {
    std::string action, model;
    RouteRule rule;
  };

  std::vector<Pool> pools_;
  std::vector<NamedRule> rules_;
  std::vector<Degradation> degradations_;
  std::vector<std::string> actions_;
};

}  // namespace mcplane::state
