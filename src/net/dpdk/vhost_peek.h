// Looks into the packed rings that a guest shares with a vhost port, ahead of the driver, which copies every frame:
// which come next, and which buffers those sent will fill (net/upcoming.h). Guests with split rings are served without.
//
// Rings lie in the guest's memory, which DPDK's control thread unmaps when the guest leaves or changes it: so cores
// look through a shutter.
//
//   away -> (guest attaches) open <-> (a vhost-user message begins, ends) shut; open, shut -> (guest leaves) away
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/packed_ring.h"
#include "net/shutter.h"
#include "net/upcoming.h"

namespace mcplane::net {

class VhostPeek {
 public:
  // Of a port of the vhost driver, before it starts. Main thread.
  VhostPeek(std::uint16_t dpdk_id, std::uint16_t queues);
  // When no core uses the port any more. Main thread.
  ~VhostPeek();
  VhostPeek(const VhostPeek&) = delete;
  VhostPeek& operator=(const VhostPeek&) = delete;

  // Adds what comes behind the `frames` that this queue gave last. The queue's lcore.
  void look(std::uint16_t queue, std::uint16_t frames, Upcoming& upcoming) noexcept;

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
  struct Queue {
    PackedRing from_guest, to_guest;
  };
  static constexpr int kNobody = -1;

  bool read_tables();
  void collect(const PackedRing& ring, std::uint16_t stands, std::uint16_t most, auto&& add) const noexcept;

  const std::uint16_t dpdk_id_;
  Shutter shutter_;
  // Written by: control, while it is shut.
  int guest_ = kNobody;  // DPDK's number of it
  std::vector<Region> regions_;
  std::vector<Queue> queues_;
};

}  // namespace mcplane::net
