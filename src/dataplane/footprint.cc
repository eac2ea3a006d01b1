// See footprint.h. Rings and batches, which have the same size whatever the flags say, are counted with the shard.
#include "dataplane/footprint.h"

namespace mcplane::dataplane {

Footprint footprint_of(const state::SharedOptions& shared, const ShardOptions& shard) noexcept {
  Footprint bytes;
  bytes.shared = std::size_t{shared.workers} * Footprint::kWorker +
                 std::size_t{shared.sessions} * state::NeighbourTable::kEntryBytes;
  bytes.shard = sizeof(Shard) + sizeof(state::ShardShared) + state::Mailbox::kBytes + EventLine::kBytes +
                std::size_t{shard.max_tasks} * sizeof(Task) + std::size_t{shard.client_slots} * sizeof(ClientSlot) +
                std::size_t{shard.max_queued} * HeldFrames::kBytesPerFrame +
                std::size_t{shard.max_routes} * (sizeof(RouteEntry) + sizeof(std::uint16_t)) +
                std::size_t{shared.routes} * sizeof(state::WaitingAt) +
                std::size_t{shared.sessions} * Footprint::kSessionOnShard +
                (shared.traces ? state::SpanMailbox::kSlots * sizeof(state::SpanRecord) +
                                     std::size_t{shard.max_tasks} * Spans::kBytesPerTask
                               : 0) +
                std::size_t{shared.workers} * (OwedAcks::kBytesPerWorker + state::Outcomes::kBytesPerWorker);
  return bytes;
}

}  // namespace mcplane::dataplane
