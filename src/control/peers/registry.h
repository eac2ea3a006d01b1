// Who is registered: sessions, the worker lines and client slot ranges they hold, and who has which address.
// Every index is reused first in, first out, and only after each shard that knew the session said it let go of it:
// a late frame or a late slot return then never meets a stranger. Control thread; allocates at registration only.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "control/cores/tally.h"
#include "control/peers/frames.h"
#include "state/skill_board.h"
#include "wire/registration.h"

namespace mcplane::control {

struct Pool;

enum class Phase : std::uint8_t {
  kFree,
  kJoining,  // worker: installed, not heard on every shard yet
  kUp,
  kDraining,  // worker: said BYE, still holds tasks
  kEnding,    // shards end its tasks; not listed, not found by address
};

// For people.
constexpr std::string_view name_of(Phase phase) noexcept {
  switch (phase) {
    case Phase::kJoining:
      return "joining";
    case Phase::kUp:
      return "up";
    case Phase::kDraining:
      return "draining";
    case Phase::kFree:
    case Phase::kEnding:
      break;
  }
  return "";
}

inline constexpr std::uint32_t kNoClient = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::size_t kShardsMax = 256;

struct Session {
  SessionId id;
  Phase phase = Phase::kFree;
  ShardId owner{};  // a client's only shard
  WorkerId worker = kNoWorker;
  std::unique_ptr<state::SkillBoard> skills;  // worker with several actions: until its slot is another's
  bool skills_counted = true;                 // its actions that are out, in its pool: while it is not out itself
  Pool* pool = nullptr;                       // worker: since it was up, until every shard has let go of it
  std::uint32_t client = kNoClient;           // index of its client slot range
  std::uint32_t cookie_ms = 0;                // when its newest HELLO's cookie was made
  wire::HelloBody hello;                      // each capability list sorted and unique
  Path path;
  NeighbourId neighbour = kNoNeighbour;  // held until no shard sends to it any more
  std::uint64_t next_pace_ns = 0;        // worker: when its bound and its tasks are looked at again
  Tally tally;                           // worker: of its tasks, since it was up
  std::uint16_t handshake_ms = 0;        // its round trip, and what the endpoint took besides
  bool suspected = false;                // worker: its host says that it is gone

  // Lease. last_seen is summed over its shards: any frame changes the sum.
  std::uint32_t seen_sum = 0;
  std::vector<std::uint64_t> heard_ns;  // each shard's lease clock, of its port, when the sum last changed
  std::uint64_t heard_at_ns = 0;        // then, by the control thread's clock: for people only
  std::uint64_t registered_ns = 0, draining_ns = 0;
  std::uint64_t up_at_ns = 0;  // worker: since when its slots grow

  std::bitset<kShardsMax> awaited;  // kEnding: shards that have not let go
  std::uint32_t live_position = 0;

  bool is_client() const noexcept { return wire::is_client(hello.service); }
  bool is_worker() const noexcept { return wire::is_worker(hello.service); }
  bool is_shadow() const noexcept { return wire::is_shadow(hello.service); }
  // Workers serve every shard.
  bool lives_on(ShardId shard) const noexcept { return is_worker() || owner == shard; }
};

struct RegistryLimits {
  std::uint32_t sessions = 0, clients = 0, workers = 0, shards = 0;
};

class Registry {
 public:
  Registry(const RegistryLimits& limits, Random& random);

  // Joining or up; null when a table is full. `arrived` is the shard its HELLO came to: a mere worker's owner.
  Session* try_add(wire::HelloBody hello, const Path& path, std::uint32_t cookie_ms, ShardId arrived);
  // Takes the session out of the live ones; what it holds waits for on_shard_ended of each shard it lived on.
  void begin_end(Session& session);
  // The session when this was the last shard to let go of it: its slot is free, what it was can still be read.
  // Repeated or unknown news is ignored.
  Session* on_shard_ended(SessionId id, ShardId shard);

  // Live sessions.
  Session* find_by_peer(const wire::Endpoint& peer);
  // Live or ending, also ended as long as its slot is not reused.
  Session* find(SessionId id);
  Session& at(std::uint32_t index) { return sessions_[index]; }
  const Session& at(std::uint32_t index) const { return sessions_[index]; }
  // Indices of the live sessions, in no order; begin_end() moves the last one to the place of the ended one.
  std::span<const std::uint32_t> live() const noexcept { return live_; }
  std::uint32_t clients() const noexcept { return clients_; }
  std::uint32_t workers() const noexcept { return workers_; }  // of production
  std::uint32_t shadow_workers() const noexcept { return shadow_workers_; }

 private:
  class IndexQueue {
   public:
    explicit IndexQueue(std::uint32_t count);
    bool empty() const noexcept { return free_.empty(); }
    std::uint32_t take() noexcept;
    void give(std::uint32_t index) { free_.push_back(index); }

   private:
    std::deque<std::uint32_t> free_;
  };

  struct EndpointHash {
    SipKey key;
    std::size_t operator()(const wire::Endpoint& endpoint) const noexcept;
  };

  SessionId next_id(std::uint32_t index) noexcept;
  ShardId least_loaded_shard() const noexcept;

  std::vector<Session> sessions_;
  std::vector<std::uint32_t> generations_;  // of the next session in each slot
  IndexQueue free_sessions_, free_clients_, free_workers_;
  std::vector<std::uint32_t> live_;
  std::vector<std::uint32_t> clients_on_shard_;
  std::unordered_map<wire::Endpoint, std::uint32_t, EndpointHash> by_peer_;  // session indices
  std::uint32_t clients_ = 0, workers_ = 0, shadow_workers_ = 0;             // live ones; who is both counts in both
};

}  // namespace mcplane::control
