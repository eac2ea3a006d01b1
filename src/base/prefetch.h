// Cache prefetch as instructions, not as __builtin_prefetch: GCC takes a function that does nothing else for one
// without effect and drops the calls (seen with 12). Any address will do, none faults.
#pragma once

#include <cstddef>
#include <span>

#include "base/types.h"

namespace mcplane {

inline void prefetch_to_read(const void* at) noexcept {
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(at)));
}

// A line in each 64 bytes.
inline void prefetch_to_read(std::span<const std::byte> bytes) noexcept {
  for (std::size_t at = 0; at < bytes.size(); at += kCacheLineBytes) prefetch_to_read(bytes.data() + at);
}

// No nearer than the second cache.
inline void prefetch_near(const void* at) noexcept {
  asm volatile("prefetcht1 %0" : : "m"(*static_cast<const char*>(at)));
}

// Takes the line away from other cores, so that the store that follows does not wait for it. A processor without the
// instruction (before 2014) does nothing.
inline void prefetch_to_write(const void* at) noexcept {
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(at)));
}

// Moves a line that was written to the cache that cores share, where the one that reads it next finds it sooner:
// cldemote, spelt out since assemblers know it only for processors that have it. Others do nothing.
inline void demote(const void* at) noexcept { asm volatile(".byte 0x0f, 0x1c, 0x00" : : "a"(at) : "memory"); }

}  // namespace mcplane
