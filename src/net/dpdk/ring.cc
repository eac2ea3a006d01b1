// RingStorage on rte_ring's element API, in plain memory: rte_ring_init needs no EAL, so simulation and TSan run
// the same code as production. The zero-copy calls reserve slots, and memcpy fills them: one copy, any alignment
// of the caller's elements, and no word-wise access through a type the elements do not have.
#include "net/ring.h"

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <new>

#include "base/check.h"
#include "base/types.h"

namespace mcplane::net {

// The ring is last: its elements follow it in the same allocation.
struct alignas(kCacheLineBytes) RingStorage::Impl {
  std::size_t element_bytes;  // read by both threads, written once
  rte_ring ring;
};

namespace {

// What rte_ring can count with a 32-bit index.
constexpr std::size_t kCapacityMax = RTE_RING_SZ_MASK / 2;

unsigned clamp_to_capacity(std::size_t count) noexcept { return static_cast<unsigned>(std::min(count, kCapacityMax)); }

}  // namespace

RingStorage::RingStorage(std::size_t element_bytes, std::size_t capacity) {
  CHECK(element_bytes > 0 && element_bytes % 4 == 0);
  CHECK(capacity > 0 && capacity <= kCapacityMax);
  static_assert(sizeof(Impl) == offsetof(Impl, ring) + sizeof(rte_ring));

  // One slot more than the capacity tells a full ring from an empty one.
  const std::size_t slots = std::bit_ceil(capacity + 1);
  // rte_ring indexes its slots as 32-bit words.
  CHECK(slots <= std::numeric_limits<std::uint32_t>::max() / (element_bytes / 4));
  const std::size_t bytes = sizeof(Impl) + slots * element_bytes;
  void* memory = ::operator new (bytes, std::align_val_t{alignof(Impl)}, std::nothrow);
  CHECK(memory != nullptr);
  // Touches every page now, so that no core takes the page faults later.
  std::memset(memory, 0, bytes);
  impl_ = new (memory) Impl;
  impl_->element_bytes = element_bytes;
  CHECK(rte_ring_init(&impl_->ring, "spsc", static_cast<unsigned>(capacity),
                      RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ) == 0);
}

RingStorage::~RingStorage() { ::operator delete (impl_, std::align_val_t{alignof(Impl)}); }

std::size_t RingStorage::push(const void* elements, std::size_t count) noexcept {
  const std::size_t element_bytes = impl_->element_bytes;
  rte_ring_zc_data slots;
  const unsigned taken = rte_ring_enqueue_zc_burst_elem_start(&impl_->ring, static_cast<unsigned>(element_bytes),
                                                              clamp_to_capacity(count), &slots, nullptr);
  if (taken == 0) return 0;
  const std::size_t first_bytes = slots.n1 * element_bytes;
  std::memcpy(slots.ptr1, elements, first_bytes);
  if (taken > slots.n1)
    std::memcpy(slots.ptr2, static_cast<const std::byte*>(elements) + first_bytes, (taken - slots.n1) * element_bytes);
  rte_ring_enqueue_zc_elem_finish(&impl_->ring, taken);
  return taken;
}

std::size_t RingStorage::pop(void* elements, std::size_t count_max) noexcept {
  const std::size_t element_bytes = impl_->element_bytes;
  rte_ring_zc_data slots;
  const unsigned taken = rte_ring_dequeue_zc_burst_elem_start(&impl_->ring, static_cast<unsigned>(element_bytes),
                                                              clamp_to_capacity(count_max), &slots, nullptr);
  if (taken == 0) return 0;
  const std::size_t first_bytes = slots.n1 * element_bytes;
  std::memcpy(elements, slots.ptr1, first_bytes);
  if (taken > slots.n1)
    std::memcpy(static_cast<std::byte*>(elements) + first_bytes, slots.ptr2, (taken - slots.n1) * element_bytes);
  rte_ring_dequeue_zc_elem_finish(&impl_->ring, taken);
  return taken;
}

std::size_t RingStorage::size() const noexcept { return rte_ring_count(&impl_->ring); }

}  // namespace mcplane::net
