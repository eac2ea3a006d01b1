// Changes of a number that one thread writes and any thread reads. A relaxed load, an addition and a relaxed store say
// the same; clang joins them, but GCC (12) keeps three instructions where the processor has one. Not atomic between two
// writers.
#pragma once

#include <atomic>
#include <cstdint>

namespace mcplane {

// Its only writer.
inline void add_alone(std::atomic<std::uint64_t>& number, std::uint64_t amount) noexcept {
#if !defined(__clang__)
  asm("addq %1, %0" : "+m"(number) : "re"(amount) : "cc");
#else
  number.store(number.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
#endif
}

inline void subtract_alone(std::atomic<std::uint64_t>& number, std::uint64_t amount) noexcept {
#if !defined(__clang__)
  asm("subq %1, %0" : "+m"(number) : "re"(amount) : "cc");
#else
  number.store(number.load(std::memory_order_relaxed) - amount, std::memory_order_relaxed);
#endif
}

}  // namespace mcplane
