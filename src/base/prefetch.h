// Cache prefetch as instructions, not as __builtin_prefetch: GCC takes a function that does nothing else for one
// without effect and drops the calls (seen with 12). Any address will do, none faults.
#pragma once

namespace mcplane {

inline void prefetch_to_read(const void* at) noexcept {
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(at)));
}

// Takes the line away from other cores, so that the store that follows does not wait for it. A processor without the
// instruction (before 2014) does nothing.
inline void prefetch_to_write(const void* at) noexcept {
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(at)));
}

}  // namespace mcplane
