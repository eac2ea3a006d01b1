// Indices out of queues, addresses out of a keyed hash map: nothing here is on a packet's path.
#include "control/peers/registry.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace mcplane::control {
namespace {

void sort_unique(std::vector<std::string>& names) {
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

}  // namespace

Registry::IndexQueue::IndexQueue(std::uint32_t count) : free_(count) { std::iota(free_.begin(), free_.end(), 0U); }

std::uint32_t Registry::IndexQueue::take() noexcept {
  const std::uint32_t index = free_.front();
  free_.pop_front();
  return index;
}

std::size_t Registry::EndpointHash::operator()(const wire::Endpoint& endpoint) const noexcept {
  return wire::hash_of(key, endpoint);
}

Registry::Registry(const RegistryLimits& limits, Random& random)
    : sessions_(limits.sessions),
      generations_(limits.sessions),
      free_sessions_(limits.sessions),
      free_clients_(limits.clients),
      free_workers_(limits.workers),
      clients_on_shard_(limits.shards),
      by_peer_(limits.sessions, EndpointHash{{random.next(), random.next()}}) {
  CHECK(limits.sessions <= SessionId::kIndexMask + 1);
  CHECK(limits.shards > 0 && limits.shards <= kShardsMax);
  for (auto& generation : generations_) generation = 1 + random.below(SessionId::kGenerationMax);
}

SessionId Registry::next_id(std::uint32_t index) noexcept {
  std::uint32_t& generation = generations_[index];
  const SessionId id = SessionId::make(index, generation);
  generation = generation == SessionId::kGenerationMax ? 1 : generation + 1;
  return id;
}

ShardId Registry::least_loaded_shard() const noexcept {
  const auto least = std::ranges::min_element(clients_on_shard_);
  return ShardId(static_cast<std::uint8_t>(least - clients_on_shard_.begin()));
}

Session* Registry::try_add(wire::HelloBody hello, const Path& path, std::uint32_t cookie_ms, ShardId arrived) {
  const bool client = wire::is_client(hello.service), worker = wire::is_worker(hello.service);
  if (free_sessions_.empty() || (client && free_clients_.empty()) || (worker && free_workers_.empty())) return nullptr;

  const std::uint32_t index = free_sessions_.take();
  Session& session = sessions_[index];
  session = Session{};
  session.id = next_id(index);
  session.phase = worker ? Phase::kJoining : Phase::kUp;
  session.owner = client ? least_loaded_shard() : arrived;
  session.cookie_ms = cookie_ms;
  session.hello = std::move(hello);
  for (auto* names : {&session.hello.actions, &session.hello.models, &session.hello.tags}) sort_unique(*names);
  session.path = path;
  session.heard_ns.resize(clients_on_shard_.size());
  if (client) {
    session.client = free_clients_.take();
    ++clients_on_shard_[raw(session.owner)];
    ++clients_;
  }
  if (worker) {
    session.worker = WorkerId(free_workers_.take());
    ++(session.is_shadow() ? shadow_workers_ : workers_);
  }
  session.live_position = static_cast<std::uint32_t>(live_.size());
  live_.push_back(index);
  by_peer_.insert_or_assign(path.peer, index);
  return &session;
}

void Registry::begin_end(Session& session) {
  CHECK(session.phase != Phase::kFree && session.phase != Phase::kEnding);
  session.phase = Phase::kEnding;
  for (std::size_t i = 0; i < clients_on_shard_.size(); ++i)
    session.awaited[i] = session.lives_on(ShardId(static_cast<std::uint8_t>(i)));
  by_peer_.erase(session.path.peer);
  const std::uint32_t moved = live_.back();
  live_[session.live_position] = moved;
  sessions_[moved].live_position = session.live_position;
  live_.pop_back();
  if (session.is_client()) {
    --clients_on_shard_[raw(session.owner)];
    --clients_;
  }
  if (session.is_worker()) --(session.is_shadow() ? shadow_workers_ : workers_);
}

Session* Registry::on_shard_ended(SessionId id, ShardId shard) {
  Session* session = find(id);
  if (session == nullptr || session->phase != Phase::kEnding) return nullptr;
  session->awaited.reset(raw(shard));
  if (session->awaited.any()) return nullptr;
  session->phase = Phase::kFree;
  free_sessions_.give(id.index());
  if (session->client != kNoClient) free_clients_.give(session->client);
  if (session->worker != kNoWorker) free_workers_.give(raw(session->worker));
  return session;
}

Session* Registry::find_by_peer(const wire::Endpoint& peer) {
  const auto found = by_peer_.find(peer);
  return found == by_peer_.end() ? nullptr : &sessions_[found->second];
}

Session* Registry::find(SessionId id) {
  if (!id || id.index() >= sessions_.size()) return nullptr;
  Session& session = sessions_[id.index()];
  return session.id == id ? &session : nullptr;
}

}  // namespace mcplane::control
