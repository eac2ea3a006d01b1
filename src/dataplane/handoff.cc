// Station 5 of 7: see handoff.h.
#include "dataplane/handoff.h"

namespace mcplane::dataplane {

HandoffMesh::HandoffMesh(std::size_t shards, std::size_t frames) : shards_(shards), turns_(shards) {
  rings_.resize(shards * shards);
  for (std::size_t from = 0; from < shards; ++from)
    for (std::size_t to = 0; to < shards; ++to)
      if (from != to) rings_[from * shards + to] = std::make_unique<net::SpscRing<net::Packet>>(frames);
}

std::size_t HandoffMesh::push(ShardId from, ShardId to, std::span<const net::Packet> packets) noexcept {
  return ring(raw(from), raw(to)).push(packets);
}

std::size_t HandoffMesh::pop(ShardId to, std::span<net::Packet> packets) noexcept {
  std::size_t count = 0;
  std::size_t& turn = turns_[raw(to)].from;
  for (std::size_t visited = 0; visited < shards_ && count < packets.size(); ++visited) {
    turn = turn + 1 < shards_ ? turn + 1 : 0;
    if (turn != raw(to)) count += ring(turn, raw(to)).pop(packets.subspan(count));
  }
  return count;
}

}  // namespace mcplane::dataplane
