// Station 5 of 7. From: ingress, for a frame whose UDP port is another shard's. To: that shard's next loop.
// One SPSC ring from every shard to every other; frames travel as descriptors, in bursts, and are parsed where they
// arrive. A full ring is a counted drop. Cost: one coherence miss a burst and shard.
// A second mesh, the relay, carries complete frames the other way: to the core that has a queue of their port.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/types.h"
#include "net/nic.h"
#include "net/ring.h"

namespace mcplane::dataplane {

class HandoffMesh {
 public:
  // Made before the cores start, gone after they ended. frames: capacity of each ring.
  HandoffMesh(std::size_t shards, std::size_t frames);

  // Shard `from` only. How many of the packets, from the front, were taken.
  std::size_t push(ShardId from, ShardId to, std::span<const net::Packet> packets) noexcept;
  // Shard `to` only. Takes from the other shards in turn, so none starves. Returns how many.
  std::size_t pop(ShardId to, std::span<net::Packet> packets) noexcept;

 private:
  net::SpscRing<net::Packet>& ring(std::size_t from, std::size_t to) noexcept { return *rings_[from * shards_ + to]; }

  std::size_t shards_;
  std::vector<std::unique_ptr<net::SpscRing<net::Packet>>> rings_;
  struct alignas(kCacheLineBytes) Turn {
    std::size_t from = 0;  // Written by: the receiving shard.
  };
  std::vector<Turn> turns_;
};

}  // namespace mcplane::dataplane
