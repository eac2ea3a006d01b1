// A virtio packed ring, read by who does not serve it: which buffers its driver has made available (virtio 1.2, 2.8).
//
//   driver writes a descriptor:  address, length, id, then flags with available = its wrap counter, used = the other
//   device has used it:          available = used
//
// The wrap counter is 1 at first and turns with each round. Memory is the driver's, another process: what it says is
// only as good as its word, and may change while it is read. It must stay mapped; see dpdk/vhost_guest.h.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/prefetch.h"
#include "base/types.h"

namespace mcplane::net {

// 16 bytes, little-endian.
//   0        8      12   14     16
//   | address | length | id | flags |
struct PackedDescriptor {
  std::uint64_t address;  // guest-physical
  std::uint32_t length;   // bytes
  std::uint16_t id;
  std::uint16_t flags;
};
static_assert(sizeof(PackedDescriptor) == 16);

class PackedRing {
 public:
  static constexpr unsigned kAvailableBit = 7, kUsedBit = 15;

  PackedRing() = default;
  PackedRing(PackedDescriptor* first, std::uint16_t size) noexcept : first_(first), size_(size) {}

  // Visits (address, length) of up to `most` available descriptors from where the device stands: the place in the ring,
  // its top bit the wrap counter there. Nothing of a ring without memory. Where all are available, as many behind them
  // are fetched for the next visit.
  template <class Visit>
  void for_available(std::uint16_t stands, std::uint16_t most, Visit&& visit) const noexcept {
    std::uint16_t at = stands & kPlaceMask;
    bool wrap = (stands & ~kPlaceMask) != 0;
    if (at >= size_) return;
    for (std::uint16_t seen = 0; seen < most; ++seen) {
      PackedDescriptor& descriptor = first_[at];
      // Partner: the driver's store of the flags, behind the rest of the descriptor.
      const std::uint16_t flags = std::atomic_ref(descriptor.flags).load(std::memory_order_acquire);
      const bool available = (flags >> kAvailableBit & 1) != 0, used = (flags >> kUsedBit & 1) != 0;
      if (available != wrap || used == wrap) return;
      visit(descriptor.address, descriptor.length);
      if (++at < size_) continue;
      at = 0;
      wrap = !wrap;
    }
    prefetch_from(at, std::min(most, size_));
  }

 private:
  static constexpr std::uint16_t kPlaceMask = 0x7fff;
  static constexpr std::uint16_t kPerLine = kCacheLineBytes / sizeof(PackedDescriptor);

  // Those that are asked for next: the device writes to each when it has used it. count: at most size_.
  void prefetch_from(std::uint32_t at, std::uint16_t count) const noexcept {
    for (const std::uint32_t end = at + count; at < end; at += kPerLine)
      prefetch_to_write(first_ + (at < size_ ? at : at - size_));
  }

  PackedDescriptor* first_ = nullptr;
  std::uint16_t size_ = 0;
};

}  // namespace mcplane::net
