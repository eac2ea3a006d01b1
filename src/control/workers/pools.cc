// See pools.h.
#include "control/workers/pools.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/siphash.h"
#include "control/workers/degradations.h"

namespace mcplane::control {
namespace {

static_assert(kSkillsMax == wire::kCapabilitiesMax);

std::vector<state::NameId> intern_all(state::RouteSnapshot& snapshot, const std::vector<std::string>& names) {
  std::vector<state::NameId> ids;
  ids.reserve(names.size());
  for (const auto& name : names) ids.push_back(snapshot.intern(name));
  return ids;
}

// Numbers in a snapshot follow first use, not the alphabet.
std::vector<state::NameId> sorted(std::vector<state::NameId> ids) {
  std::ranges::sort(ids);
  return ids;
}

// Public, so that all brokers agree: they only spread what nobody gains by choosing.
constexpr SipKey kSpreadKey{0x6d63706c616e6521ULL, 0x706f6f6c6b657973ULL};

state::Limit limit_of(const Limits& limits) noexcept {
  state::Limit limit{.concurrency = limits.concurrency};
  if (limits.tasks_per_s <= 0) return limit;
  constexpr double kDefaultBurstSeconds = 0.1;
  const double burst = limits.burst > 0 ? limits.burst : std::max(1.0, limits.tasks_per_s * kDefaultBurstSeconds);
  const double interval_ns = static_cast<double>(kNsPerSecond) / limits.tasks_per_s;
  limit.interval_ns = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(interval_ns));
  limit.burst_ns = static_cast<std::uint64_t>((burst - 1) * interval_ns);
  return limit;
}

std::string shared_name(const RouteSettings& route) { return route.action + '\0' + route.model; }

std::uint64_t hash_of(const CapabilitySet& set) {
  std::string flat;
  for (const auto* names : {&set.actions, &set.models, &set.tags}) {
    for (const std::string& name : *names) flat.append(name).push_back('\0');
    flat.push_back('\0');
  }
  return siphash24(kSpreadKey, std::as_bytes(std::span(flat)));
}

bool serves(const CapabilitySet& set, const std::string& action, const std::string& model) {
  return (action == "*" || std::ranges::binary_search(set.actions, action)) &&
         (model.empty() || std::ranges::binary_search(set.models, model));
}

}  // namespace

// Relaxed: cores only say by it why they found nobody, and choose how to look.
void Pools::publish_admitting(const Pool& pool) noexcept {
  const auto up = static_cast<std::uint32_t>(pool.up.size());
  pool.load->admitting.store(up - pool.whole.shut, std::memory_order_relaxed);
  pool.load->trusted.store(up - pool.whole.out, std::memory_order_relaxed);
  std::uint64_t out = 0;
  for (std::uint32_t i = 0; i < kSkillsMax; ++i) {
    const Pool::Ejected& skill = pool.skills[i];
    if (skill.out > 0) out |= state::LoadIndex::skill_bit(i, 0);
    if (skill.shut > 0 && skill.shut + pool.whole.shut == up) out |= state::LoadIndex::skill_bit(i, 1);
    if (skill.out > 0 && skill.out + pool.whole.out == up) out |= state::LoadIndex::skill_bit(i, 2);
  }
  pool.load->skills_out.store(out, std::memory_order_relaxed);
  ++changes_;
}

Pool& Pools::join(const wire::HelloBody& hello, const wire::Endpoint& peer, state::WorkerLine& line, WorkerId worker) {
  CapabilitySet set{hello.actions, hello.models, hello.tags, wire::is_shadow(hello.service)};
  auto& [key, pool] = *pools_.try_emplace(std::move(set)).first;
  if (pool == nullptr) {
    pool = std::make_unique<Pool>();
    pool->set = &key;
    pool->key = hash_of(key);
  }
  pool->load->place(line, worker);
  pool->up.emplace(worker, OrderMember{worker, hello.weight, wire::hash_of(kSpreadKey, peer)});
  pool->weight += hello.weight;
  if (!pool->set->shadow) ++workers_;
  on_members_changed(*pool);
  return *pool;
}

void Pools::turn(Pool& pool, std::optional<SkillId> skill, BreakerState before, BreakerState after) noexcept {
  Pool::Ejected& ejected = skill ? pool.skills[raw(*skill)] : pool.whole;
  ejected.out += (after != BreakerState::kClosed ? 1U : 0U) - (before != BreakerState::kClosed ? 1U : 0U);
  ejected.shut += (after == BreakerState::kOpen ? 1U : 0U) - (before == BreakerState::kOpen ? 1U : 0U);
  publish_admitting(pool);
}

void Pools::retire(Pool& pool, WorkerId worker) {
  const auto member = pool.up.find(worker);
  CHECK(member != pool.up.end());
  pool.weight -= member->second.weight;
  pool.up.erase(member);
  if (!pool.set->shadow) --workers_;
  on_members_changed(pool);
}

// A snapshot says whether there is anybody; who it is changes without one.
void Pools::on_members_changed(Pool& pool) {
  changed_ = changed_ || pool.up.empty() != !pool.published;
  publish_admitting(pool);
  mark_stale(pool);
}

void Pools::mark_stale(Pool& pool) {
  if ((wants_turns_ || wants_hashed_) && !std::exchange(pool.stale, true)) stale_.push_back(&pool);
}

void Pools::leave(Pool& pool, state::WorkerLine& line) {
  pool.load->vacate(line);
  // The index lives on in the snapshots that name it.
  if (pool.load->placed() > 0) return;
  if (job_.pool == &pool) job_ = {};
  std::erase(stale_, &pool);
  pools_.erase(pools_.find(*pool.set));
}

// Names of routes that are gone are given up when another route needs their place: tasks of theirs may still be open.
std::uint8_t Pools::take_shared_limit(const RouteSettings& route) {
  const std::string name = shared_name(route);
  auto found = std::ranges::find(shared_limits_, name);
  if (found == shared_limits_.end())
    found = std::ranges::find_if(shared_limits_, [this](const std::string& other) {
      return std::ranges::none_of(routes_, [&](const RouteSettings& used) { return shared_name(used) == other; });
    });
  CHECK(found != shared_limits_.end());
  *found = name;
  return static_cast<std::uint8_t>(found - shared_limits_.begin());
}

void Pools::set_routes(std::span<const RouteSettings> routes, const Limits& client) {
  if (std::ranges::equal(routes, routes_) && client == client_limits_) return;
  routes_.assign(routes.begin(), routes.end());
  client_limits_ = client;
  const auto wanted = [this](std::initializer_list<state::Policy> policies) {
    return std::ranges::any_of(routes_, [&](const RouteSettings& route) {
      return std::ranges::find(policies, route.policy) != policies.end();
    });
  };
  wants_turns_ = wanted({state::Policy::kWeighted});
  wants_hashed_ = wanted({state::Policy::kSourceHash, state::Policy::kSession, state::Policy::kPrefix});
  changed_ = true;
  for (const auto& entry : pools_) mark_stale(*entry.second);
}

bool Pools::begin_job() {
  if (stale_.empty()) return false;
  job_.pool = stale_.front();
  stale_.pop_front();
  // Whoever comes or goes from here on makes it stale again.
  job_.pool->stale = false;
  job_.members.clear();
  for (const auto& entry : job_.pool->up) job_.members.push_back(entry.second);
  if (job_.members.empty()) {
    job_.pool = nullptr;
    return false;
  }
  if (wants_turns_)
    job_.builder.emplace<TurnBuilder>(job_.members);
  else
    job_.builder.emplace<MaglevBuilder>(std::move(job_.members));
  return true;
}

void Pools::make_orders(std::size_t steps) {
  if (job_.pool == nullptr && !begin_job()) return;
  if (auto* turns = std::get_if<TurnBuilder>(&job_.builder)) {
    if (!turns->step(steps)) return;
    job_.pool->turns = std::make_shared<const state::WorkerOrder>(turns->take());
    if (wants_hashed_) {
      job_.builder.emplace<MaglevBuilder>(std::move(job_.members));
      return;
    }
  } else if (auto* hashed = std::get_if<MaglevBuilder>(&job_.builder)) {
    if (!hashed->step(steps)) return;
    job_.pool->hashed = std::make_shared<const state::WorkerOrder>(hashed->take());
  }
  job_ = {};
  changed_ = true;
}

void Pools::count(Pool& pool, const state::WorkerLine& line, std::uint16_t slots, bool unknown) noexcept {
  const state::WorkerLoad load{line.load.load(std::memory_order_relaxed)};
  const std::uint32_t held = load.outstanding();
  pool.slots_counted += line.limit(line.owner());
  pool.held_counted += held;
  PoolCensus& census = pool.census_counted;
  const bool ready = line.admits.load(std::memory_order_relaxed) == load.freely_admitted();
  PoolCensus::Workers& kind = ready ? census.ready : unknown ? census.unknown : census.unready;
  ++kind.count;
  kind.slots += slots;
  kind.in_flight += held;
}

void Pools::end_count() noexcept {
  for (auto& entry : pools_) {
    Pool& pool = *entry.second;
    pool.load->slots.store(std::exchange(pool.slots_counted, 0), std::memory_order_relaxed);
    pool.load->held.store(std::exchange(pool.held_counted, 0), std::memory_order_relaxed);
    pool.census = std::exchange(pool.census_counted, {});
  }
}

// Cores say nothing of shadow tasks, whose pools may have the same keys.
void Pools::set_waiting(const Waiting& waiting) noexcept {
  for (auto& [set, pool] : pools_) {
    const auto found = waiting.find(pool->key);
    pool->queued = found == waiting.end() || set.shadow ? 0 : found->second;
  }
}

void Pools::recommend(std::uint64_t now_ns, const AutoscaleSettings& settings) {
  for (auto& [set, pool] : pools_)
    if (!set.shadow)
      pool->recommendations.add(pool->census.count(), recommended(pool->census, pool->queued, settings), now_ns,
                                settings);
}

void Pools::know_action(const std::string& name) {
  if (name == "*" || name == kOtherActionsName || actions_.size() + 1 == state::kActions) return;
  if (std::ranges::find(actions_, name) == actions_.end()) actions_.push_back(name);
}

std::unique_ptr<const state::RouteSnapshot> Pools::snapshot(std::uint64_t generation) {
  auto snapshot = std::make_unique<state::RouteSnapshot>();
  snapshot->generation = generation;
  for (const RouteSettings& route : routes_) know_action(route.action);
  for (const auto& [set, pool] : pools_) {
    pool->published = !pool->up.empty();
    if (!pool->published) continue;
    if (!set.shadow) std::ranges::for_each(set.actions, [this](const std::string& name) { know_action(name); });
    state::Pool published;
    published.actions = intern_all(*snapshot, set.actions);
    published.models = sorted(intern_all(*snapshot, set.models));
    published.tags = sorted(intern_all(*snapshot, set.tags));
    published.load = pool->load;
    published.shadow = set.shadow;
    published.key = pool->key;
    published.weight = pool->weight;
    if (wants_turns_) published.turns = pool->turns;
    if (wants_hashed_) published.hashed = pool->hashed;
    snapshot->add_pool(std::move(published));
  }
  for (const RouteSettings& route : routes_) {
    state::RouteRule rule{.policy = route.policy, .imbalance = static_cast<float>(route.imbalance)};
    rule.mirror = static_cast<std::uint32_t>(std::lround(route.mirror * state::kMirrorWhole));
    rule.limit = limit_of(route.limits);
    if (rule.limit.any()) rule.shared_limit = take_shared_limit(route);
    add_degradation(route.degrade, *snapshot, rule);
    snapshot->add_rule(route.action, route.model, rule);
  }
  snapshot->set_actions(actions_);
  snapshot->client_limit = limit_of(client_limits_);
  changed_ = false;
  return snapshot;
}

Presence Pools::presence(const std::string& action, const std::string& model) const {
  Presence best = Presence::kNobody;
  for (const auto& [set, pool] : pools_) {
    if (pool->up.empty() || set.shadow || !serves(set, action, model)) continue;
    Pool::Ejected left_out = pool->whole;
    if (const auto skill = std::ranges::find(set.actions, action); skill != set.actions.end()) {
      const Pool::Ejected& alone = pool->skills[static_cast<std::size_t>(skill - set.actions.begin())];
      left_out.out += alone.out;
      left_out.shut += alone.shut;
    }
    const Presence here = left_out.out < pool->up.size()    ? Presence::kSome
                          : left_out.shut < pool->up.size() ? Presence::kProbing
                                                            : Presence::kOut;
    best = std::min(best, here);
  }
  return best;
}

std::size_t Pools::index_bytes() const {
  std::size_t bytes = 0;
  for (const auto& entry : pools_) bytes += entry.second->load->bytes();
  return bytes;
}

}  // namespace mcplane::control
