// What the tables take, from the sizes of what is really kept. All of it is allocated at start, but for the indexes of
// pools, which grow with the workers that come.
#pragma once

#include <cstddef>

#include "dataplane/shard.h"
#include "state/shared.h"

namespace mcplane::dataplane {

// Bytes.
struct Footprint {
  // A task in flight: the task, and the client slot it came from.
  static constexpr std::size_t kTask = sizeof(Task) + sizeof(ClientSlot);
  // A worker: once, its line and its place in an index; on each shard its session, what it is owed, and how its
  // tasks ended. A worker that is alone in its pool has the index for itself.
  static constexpr std::size_t kSessionOnShard =
      sizeof(Session) + sizeof(state::LastSeen) + sizeof(state::EventCounts) + 2 * sizeof(SessionId);
  static constexpr std::size_t kWorker = sizeof(state::WorkerLine) + state::LoadIndex::kBytesPerWorker;
  static constexpr std::size_t kWorkerAlone =
      sizeof(state::WorkerLine) + sizeof(state::LoadIndex) + sizeof(state::LoadLeaf);
  static constexpr std::size_t kWorkerOnShard =
      kSessionOnShard + OwedAcks::kBytesPerWorker + state::Outcomes::kBytesPerWorker;

  std::size_t shared = 0;  // by all shards
  std::size_t shard = 0;   // each
};

Footprint footprint_of(const state::SharedOptions& shared, const ShardOptions& shard) noexcept;

}  // namespace mcplane::dataplane
