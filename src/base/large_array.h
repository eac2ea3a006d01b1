// A table that is allocated once, at start, and lives as long as its owner. From 2 MiB on it lies on huge pages where
// the kernel has some to give: a table of a million lines is read at random, and each of its 4 KiB pages would miss the
// TLB. All elements are constructed by the thread that makes it, so its memory is on that thread's NUMA node.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>

namespace mcplane {

template <class T>
class LargeArray {
 public:
  explicit LargeArray(std::size_t count) : items_(static_cast<T*>(allocate(count)), Free{count}) {
    std::uninitialized_value_construct_n(items_.get(), count);
  }

  T* get() const noexcept { return items_.get(); }
  T* begin() const noexcept { return items_.get(); }
  T* end() const noexcept { return items_.get() + size(); }
  T& operator[](std::size_t index) const noexcept { return items_.get()[index]; }
  std::size_t size() const noexcept { return items_.get_deleter().count; }

 private:
  static constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

  static constexpr std::align_val_t alignment(std::size_t bytes) noexcept {
    return std::align_val_t{bytes >= kHugePageBytes ? kHugePageBytes : alignof(T)};
  }
  static void* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    void* const memory = ::operator new(bytes, alignment(bytes));
    // Advice: without it, or where it is refused, the table is as good, only slower.
    if (bytes >= kHugePageBytes) madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
  }
  struct Free {
    std::size_t count = 0;
    void operator()(T* items) const noexcept {
      std::destroy_n(items, count);
      ::operator delete(items, alignment(count * sizeof(T)));
    }
  };

  std::unique_ptr<T, Free> items_;
};

}  // namespace mcplane
