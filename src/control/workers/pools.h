// Workers by capability set, and from that what cores route by. A worker that joins a pool there is already, or leaves
// one where others stay, costs the same whatever their number, and no publication. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#include "control/config/settings.h"
#include "control/workers/autoscale.h"
#include "control/workers/breaker.h"
#include "control/workers/orders.h"
#include "state/route_snapshot.h"
#include "state/worker_table.h"
#include "wire/registration.h"

namespace mcplane::control {

// Each list sorted and unique since registration, so equal sets compare equal.
struct CapabilitySet {
  std::vector<std::string> actions, models, tags;
  bool shadow = false;  // shadow workers have pools of their own

  friend bool operator<(const CapabilitySet& a, const CapabilitySet& b) {
    return std::tie(a.shadow, a.actions, a.models, a.tags) < std::tie(b.shadow, b.actions, b.models, b.tags);
  }
};

struct Pool {
  const CapabilitySet* set = nullptr;  // the key it is found by
  std::uint64_t key = 0;               // its hash
  std::shared_ptr<state::LoadIndex> load = std::make_shared<state::LoadIndex>();
  std::map<WorkerId, OrderMember> up;  // workers that take new tasks, as far as their breakers let them
  // Of them, those whose breakers are not closed, and of those the ones whose are open.
  struct Ejected {
    std::uint32_t out = 0, shut = 0;
  } whole;
  // And for each action, where they have several: of those whose own breakers are closed.
  std::array<Ejected, kSkillsMax> skills;
  std::uint32_t weight = 0;  // sum of all of theirs
  std::uint32_t slots_counted = 0, held_counted = 0;
  PoolCensus census, census_counted;  // of the last round of all, and of this one
  std::uint64_t queued = 0;           // tasks that wait for its workers, when they were last counted
  Recommendations recommendations;    // of how many workers it should have
  std::shared_ptr<const state::WorkerOrder> turns, hashed;
  bool stale = false;      // its orders wait to be made again
  bool published = false;  // in the last snapshot
};

// Of the actions that have no books of their own (state/counters.h); an action of that name is among them.
inline constexpr std::string_view kOtherActionsName = "other";

// Who of a route's workers takes tasks.
enum class Presence : std::uint8_t {
  kSome,
  kProbing,  // none but who is on trial
  kOut,      // all are left out by their breakers
  kNobody,
};

class Pools {
 public:
  // The worker may have tasks from now on; a shard is to refresh it. peer: its address.
  Pool& join(const wire::HelloBody& hello, const wire::Endpoint& peer, state::WorkerLine& line, WorkerId worker);
  // The breaker of a worker that is up, or of one of its actions, went from one state to another.
  void turn(Pool& pool, std::optional<SkillId> skill, BreakerState before, BreakerState after) noexcept;
  // No new tasks; its breaker is closed, or was turned so.
  void retire(Pool& pool, WorkerId worker);
  // Every shard has let go of the worker, which is retired: its place is free for another.
  void leave(Pool& pool, state::WorkerLine& line);

  // What holds from the next snapshot on; client: the limits of each. At most kLimitedRoutesMax routes have limits.
  void set_routes(std::span<const RouteSettings> routes, const Limits& client = {});
  // Goes on with the orders that those need, `steps` of a builder; they are in a snapshot once complete.
  void make_orders(std::size_t steps);

  // What a worker may hold and holds, and of how many slots, once a round of all; the figures of the round that ends
  // are published. unknown: its health probe has not been answered yet.
  void count(Pool& pool, const state::WorkerLine& line, std::uint16_t slots, bool unknown) noexcept;
  void end_count() noexcept;

  // Tasks that wait, by the keys of the pools that they wait for.
  using Waiting = std::unordered_map<std::uint64_t, std::uint64_t>;
  void set_waiting(const Waiting& waiting) noexcept;
  // How many workers each pool should have goes into its recommendations.
  void recommend(std::uint64_t now_ns, const AutoscaleSettings& settings);

  // A pool has become empty or is empty no longer, an order is complete, or routes changed, since the last snapshot().
  bool changed() const noexcept { return changed_; }
  // Pools with workers, ordered by their sets: equal pools give equal snapshots.
  std::unique_ptr<const state::RouteSnapshot> snapshot(std::uint64_t generation);

  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& entry : pools_) visit(*entry.second);
  }
  // Of the workers that serve the action, "*": any, and the model, "": any. Cost: a walk of all pools.
  Presence presence(const std::string& action, const std::string& model) const;
  // Grows whenever that may have changed.
  std::uint64_t changes() const noexcept { return changes_; }

  // All there are, those of shadow workers too.
  const std::map<CapabilitySet, std::unique_ptr<Pool>>& all() const noexcept { return pools_; }
  // Those that have books of their own: the first that workers of production brought, or rules name, each for good.
  const std::vector<std::string>& actions() const noexcept { return actions_; }

  std::uint32_t workers() const noexcept { return workers_; }  // that take new tasks of production
  std::size_t index_bytes() const;

 private:
  // The orders of one pool, as its members were when it was begun.
  struct Job {
    Pool* pool = nullptr;  // null: nothing to do
    std::vector<OrderMember> members;
    std::variant<std::monostate, TurnBuilder, MaglevBuilder> builder;
  };

  void on_members_changed(Pool& pool);
  void publish_admitting(const Pool& pool) noexcept;
  void mark_stale(Pool& pool);
  bool begin_job();
  std::uint8_t take_shared_limit(const RouteSettings& route);
  void know_action(const std::string& name);

  std::map<CapabilitySet, std::unique_ptr<Pool>> pools_;
  std::vector<RouteSettings> routes_;
  Limits client_limits_;
  // Whose tasks a shared limit counts: a route keeps its own while its limits change.
  std::array<std::string, state::kSharedLimits> shared_limits_;
  bool wants_turns_ = false, wants_hashed_ = false;  // by some route's policy
  std::deque<Pool*> stale_;
  Job job_;
  std::vector<std::string> actions_;
  std::uint32_t workers_ = 0;
  std::uint64_t changes_ = 0;
  bool changed_ = false;
};

}  // namespace mcplane::control
