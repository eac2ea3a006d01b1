// See worker_policies.h. Policies that need the pool's workers in an order of their own walk one that control made
// (state/route_rule.h).
#include "dataplane/worker_policies.h"

#include <cmath>

#include "base/random.h"

namespace mcplane::dataplane {
namespace {

constexpr std::uint32_t kLooksMax = 8;  // at workers without room

const state::Pool& pool_of(const Shard& shard, const RouteEntry& entry, std::uint32_t i) noexcept {
  return shard.snapshot->pool(entry.own.pools[i]);
}

std::uint32_t admitting(const state::Pool& pool) noexcept {
  return pool.load->admitting.load(std::memory_order_relaxed);
}

// Pool after pool, place after place.
bool in_turn(Shard& shard, RouteEntry& entry, const Asker&, state::WorkerRef& chosen) noexcept {
  std::uint32_t races = 0;
  for (std::uint32_t visits = 0; visits <= entry.own.count;) {
    if (entry.turn >= entry.own.count) entry.turn = 0;
    const state::LoadIndex::Next next = pool_of(shard, entry, entry.turn).load->next(entry.rotor);
    if (next.worker == kNoWorker || next.place < entry.rotor) {
      ++entry.turn;
      ++visits;
      entry.rotor = 0;
      continue;
    }
    entry.rotor = next.place + 1;
    if (try_take(shard, next.worker, entry.own.skills[entry.turn], chosen)) return true;
    if (++races == kRacesMax) return false;
  }
  return false;
}

// Into which pool `at` falls, and then how far into it, where each takes `part` of them; below sum_of().
template <class Part>
std::uint32_t pool_at(const Shard& shard, const RouteEntry& entry, std::uint64_t& at, const Part& part) noexcept {
  std::uint32_t i = 0;
  for (; i + 1 < entry.own.count && at >= part(pool_of(shard, entry, i)); ++i) at -= part(pool_of(shard, entry, i));
  return i;
}

template <class Part>
std::uint64_t sum_of(const Shard& shard, const RouteEntry& entry, const Part& part) noexcept {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < entry.own.count; ++i) sum += part(pool_of(shard, entry, i));
  return sum;
}

// The golden ratio's multiples fall evenly into any parts of a circle.
std::uint32_t weighted_pool(const Shard& shard, RouteEntry& entry) noexcept {
  if (entry.own.count == 1) return 0;
  const auto weight = [](const state::Pool& pool) { return pool.weight; };
  constexpr std::uint32_t kGoldenTurn = 0x9e3779b9U;  // of 2^32
  std::uint64_t at = (std::uint64_t{entry.turn++ * kGoldenTurn} * sum_of(shard, entry, weight)) >> 32;
  return pool_at(shard, entry, at, weight);
}

bool by_weight(Shard& shard, RouteEntry& entry, const Asker&, state::WorkerRef& chosen) noexcept {
  for (std::uint32_t looks = 0; looks < kLooksMax; ++looks) {
    const std::uint32_t i = weighted_pool(shard, entry);
    const state::WorkerOrder* const order = pool_of(shard, entry, i).turns.get();
    if (order == nullptr) continue;
    if (try_take(shard, (*order)[entry.turns[i]++ % order->size()], entry.own.skills[i], chosen)) return true;
  }
  return false;
}

struct Drawn {
  WorkerId worker = kNoWorker;
  SkillId skill{};
};

// Any worker with room, each as likely as the places before it that have none make it.
Drawn draw_worker(Shard& shard, const RouteEntry& entry) noexcept {
  const auto all = static_cast<std::uint32_t>(sum_of(shard, entry, admitting));
  if (all == 0) return {};
  std::uint64_t at = shard.random.below(all);
  const std::uint32_t i = pool_at(shard, entry, at, admitting);
  return {pool_of(shard, entry, i).load->next(static_cast<std::uint32_t>(at)).worker, entry.own.skills[i]};
}

bool of_two(Shard& shard, RouteEntry& entry, const Asker&, state::WorkerRef& chosen) noexcept {
  Drawn less = draw_worker(shard, entry), more = draw_worker(shard, entry);
  if (less.worker == kNoWorker || more.worker == kNoWorker) return false;
  const state::WorkerTable& workers = shard.shared.workers;
  if (workers[more.worker].outstanding() < workers[less.worker].outstanding()) std::swap(less, more);
  return try_take(shard, less.worker, less.skill, chosen) || try_take(shard, more.worker, more.skill, chosen);
}

// Rendezvous hashing by weight (Schindelhauer, Schomaker 2005): of the few pools of a route, a key stays with its own
// as long as that is there.
std::uint32_t hashed_pool(const Shard& shard, const RouteEntry& entry, std::uint64_t key) noexcept {
  std::uint32_t best = 0;
  double least = 0;
  for (std::uint32_t i = 0; entry.own.count > 1 && i < entry.own.count; ++i) {
    const state::Pool& pool = pool_of(shard, entry, i);
    const double drawn = (static_cast<double>(mix64(key ^ pool.key) >> 11) + 0.5) * 0x1.0p-53;
    const double score = -std::log(drawn) / pool.weight;
    if (i > 0 && score >= least) continue;
    least = score;
    best = i;
  }
  return best;
}

// The first of the key's workers that has room and that `admits` lets have it.
template <class Admits>
bool by_key(Shard& shard, const RouteEntry& entry, std::uint64_t key, state::WorkerRef& chosen,
            const Admits& admits) noexcept {
  if (entry.own.count == 0) return false;
  const std::uint32_t i = hashed_pool(shard, entry, key);
  const state::Pool& pool = pool_of(shard, entry, i);
  if (pool.hashed == nullptr) return false;
  const state::WorkerOrder& table = *pool.hashed;
  for (std::uint32_t look = 0; look < kLooksMax; ++look, key = mix64(key)) {
    const WorkerId worker = table[key % table.size()];
    if (admits(pool, shard.shared.workers[worker]) && try_take(shard, worker, entry.own.skills[i], chosen)) return true;
  }
  return false;
}

bool by_source(Shard& shard, RouteEntry& entry, const Asker& asker, state::WorkerRef& chosen) noexcept {
  const Session* client = shard.sessions.find(asker.client);
  if (client == nullptr) return false;
  const auto words = client->record.peer.ip.words();
  return by_key(shard, entry, mix64(words[0] ^ mix64(words[1])), chosen,
                [](const state::Pool&, const state::WorkerLine&) { return true; });
}

// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016), against the mean that control counted.
bool near_key(Shard& shard, RouteEntry& entry, std::uint64_t key, state::WorkerRef& chosen) noexcept {
  const float imbalance = entry.rule.imbalance;
  return by_key(shard, entry, mix64(key), chosen, [imbalance](const state::Pool& pool, const state::WorkerLine& line) {
    const std::uint32_t workers = std::max(1U, admitting(pool));
    const float mean =
        static_cast<float>(pool.load->held.load(std::memory_order_relaxed)) / static_cast<float>(workers);
    return static_cast<float>(line.outstanding()) < imbalance * mean + 1;
  });
}

bool near_session(Shard& shard, RouteEntry& entry, const Asker& asker, state::WorkerRef& chosen) noexcept {
  return near_key(shard, entry, asker.client.value, chosen);
}

bool near_prefix(Shard& shard, RouteEntry& entry, const Asker& asker, state::WorkerRef& chosen) noexcept {
  const std::uint32_t key = wire::affinity_of(*asker.header);
  return key != 0 && near_key(shard, entry, key, chosen);
}

using Search = bool (*)(Shard&, RouteEntry&, const Asker&, state::WorkerRef&) noexcept;
constexpr std::array<Search, state::kPolicies> kSearches = {nullptr,   in_turn,      by_weight,  of_two,
                                                            by_source, near_session, near_prefix};

}  // namespace

bool take_permit(Shard& shard, WorkerId worker, SkillId skill, state::WorkerRef& chosen) noexcept {
  if (shard.shared.workers[worker].skills->try_enter(skill, chosen.round)) return true;
  shard.shared.workers.release(worker, chosen.round);
  chosen.session = {};
  return false;
}

bool acquire_by_policy(Shard& shard, RouteEntry& entry, const Asker& asker, state::WorkerRef& chosen) noexcept {
  return kSearches[raw(entry.rule.policy)](shard, entry, asker, chosen);
}

}  // namespace mcplane::dataplane
