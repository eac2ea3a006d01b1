// See allocations.h. Compiled by itself, so that no caller's new expression is inlined into a mismatch with malloc.
#include "support/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

// A count only; orders nothing.
std::atomic<std::size_t> allocations{0};

}  // namespace

std::size_t mcplane::heap_allocations() noexcept { return allocations.load(std::memory_order_relaxed); }

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void* operator new(std::size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
