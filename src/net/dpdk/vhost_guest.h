// The guest behind a vhost port. Its frames are copied by DPDK's vhost library, asked directly: the driver around it
// looks at each frame twice more, to count it and to give it back. And where its rings are packed they are looked into,
// ahead of the copies: which frames come next, and which buffers those sent will fill (net/upcoming.h).
//
// DPDK's control thread lets the guest go, and changes its memory, so cores come to either through a shutter. Of those
// who copy the library itself holds messages off, by locks that one of them may wait for: only those who look are
// waited for while a message is dealt with.
//
//   away -> (guest attaches) here -> (guest leaves) away
//           here: rings open <-> (a vhost-user message begins, ends) rings shut
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "net/packed_ring.h"
#include "net/shutter.h"
#include "net/upcoming.h"

struct rte_mbuf;
struct rte_mempool;

namespace mcplane::net {

class VhostGuest {
 public:
  // Of a port of the vhost driver, before it starts. Main thread, which makes and ends it.
  VhostGuest(std::uint16_t dpdk_id, std::uint16_t queues);
  // When no core uses the port any more. Main thread.
  ~VhostGuest();
  VhostGuest(const VhostGuest&) = delete;
  VhostGuest& operator=(const VhostGuest&) = delete;

  // As a port's rx and tx: how many were received; how many were taken, and given back. None while nobody is there, or
  // the guest has fewer queues. The queue's lcore.
  std::uint16_t receive(std::uint16_t queue, rte_mempool* pool, std::span<rte_mbuf*> frames) noexcept;
  std::uint16_t send(std::uint16_t queue, std::span<rte_mbuf*> frames) noexcept;
  // Adds what comes behind the `frames` that this queue gave last. The queue's lcore.
  void look(std::uint16_t queue, std::uint16_t frames, Upcoming& upcoming) noexcept;

  // Frames received and sent, which the driver does not see. Any thread.
  struct Carried {
    std::uint64_t received = 0, sent = 0;
  };
  Carried carried() const noexcept;

  // DPDK's control thread, which sees one guest at a time.
  void on_link();
  void on_message_begin(int guest) noexcept;
  void on_message_end(int guest);

 private:
  // A part of the guest's memory, where it is in ours.
  struct Region {
    std::uint64_t guest_address, bytes;
    const std::byte* here;
  };
  struct alignas(kCacheLineBytes) Queue {
    PackedRing from_guest, to_guest;  // written by control, while rings_ are shut
    // Written by: the queue's lcore. Relaxed: sums.
    std::atomic<std::uint64_t> received{0}, sent{0};
  };
  static constexpr int kNobody = -1;

  bool enter(std::uint16_t queue) noexcept {
    return queue < pairs_.load(std::memory_order_relaxed) && here_.enter(queue);
  }
  void count_pairs() noexcept;
  bool read_tables();
  void collect(const PackedRing& ring, std::uint16_t stands, std::uint16_t most, auto&& add) const noexcept;

  const std::uint16_t dpdk_id_;
  Shutter here_, rings_;
  // Written by: control, while they are shut.
  int guest_ = kNobody;  // DPDK's number of it
  // How many it has; the library reports each question for others as an error. Written by: control. Relaxed: it looks
  // itself as well.
  std::atomic<std::uint16_t> pairs_{0};
  std::vector<Region> regions_;
  std::vector<Queue> queues_;
};

}  // namespace mcplane::net
