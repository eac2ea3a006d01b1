// A bounded single-producer single-consumer ring of trivially copyable elements, copied in and out by burst.
// Storage and memory ordering are DPDK's ring element API (needs no EAL; net/dpdk/ring.cc): the producer's
// release store of the tail pairs with the consumer's acquire load of it, and the other way round for space.
// Cost: about 1 cycle an element on one core, one coherence miss a burst between two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace mcplane::net {

// Element-size-agnostic half, out of line so that nobody else needs DPDK's headers.
class RingStorage {
 public:
  // capacity: elements it holds, exactly; memory is taken for the next power of two. Aborts when memory is short.
  RingStorage(std::size_t element_bytes, std::size_t capacity);
  ~RingStorage();
  RingStorage(const RingStorage&) = delete;
  RingStorage& operator=(const RingStorage&) = delete;

  // Producer thread only. Copies as many as fit from the front; returns how many.
  std::size_t push(const void* elements, std::size_t count) noexcept;
  // Consumer thread only.
  std::size_t pop(void* elements, std::size_t count_max) noexcept;
  // Either thread; a snapshot.
  std::size_t size() const noexcept;

 private:
  struct Impl;
  Impl* impl_;
};

template <class T>
requires(std::is_trivially_copyable_v<T> || std::is_nothrow_move_constructible_v<T>) class SpscRing {
 public:
  static_assert(sizeof(T) % 4 == 0, "a ring copies whole 4-byte words");
  static_assert(std::is_trivially_destructible_v<T>);

  explicit SpscRing(std::size_t capacity) : storage_(sizeof(T), capacity) {}

  std::size_t push(std::span<const T> elements) noexcept { return storage_.push(elements.data(), elements.size()); }
  bool try_push(const T& element) noexcept { return storage_.push(&element, 1) == 1; }
  std::size_t pop(std::span<T> elements) noexcept { return storage_.pop(elements.data(), elements.size()); }
  std::size_t size() const noexcept { return storage_.size(); }

 private:
  RingStorage storage_;
};

}  // namespace mcplane::net
