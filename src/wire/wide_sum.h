// A one's complement sum in the making (RFC 1071): words as they lie in memory, eight lanes side by side, folded once
// at the end.
// Pure; any thread. For the hot path; everybody else calls sum_bytes().
#pragma once

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire/header.h"

namespace mcplane::wire {

// 2^16 - 1 divides 2^64 - 1: adding the halves of a word, carry included, keeps its value. The result is in memory
// order: byte-swapped, it is the sum that checksum.h speaks of.
constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
  sum = (sum + std::rotl(sum, 32)) >> 32;
  const auto half = static_cast<std::uint32_t>(sum);
  return static_cast<std::uint16_t>((half + std::rotl(half, 16)) >> 16);
}

// With the carry that falls out at the top added in at the bottom.
constexpr std::uint64_t add_carry(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}

template <class Word>
Word load_word(const void* at) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Of 16-bit words as they lie in memory. The processor multiplies and adds pairs of them in one instruction, but as
// signed ones: each is taken for 2^15 less than it is, which total() makes good.
class WideSum {
 public:
  static constexpr std::size_t kStep = 32;  // bytes

  void add(const std::byte* at) noexcept { add(load_word<__m256i>(at)); }
  void add_copied(std::byte* to, const std::byte* at) noexcept {
    const auto words = load_word<__m256i>(at);
    std::memcpy(to, &words, sizeof words);
    add(words);
  }

  // The last `count` bytes, 0 to kStep and even, of the kStep bytes before `end`, which are all readable.
  void add_last(const std::byte* end, std::size_t count) noexcept {
    add(_mm256_and_si256(load_word<__m256i>(end - kStep), load_word<__m256i>(mask_of(count))));
  }

  // After so many calls of the functions above; of at most 64 KiB, which no frame is longer than.
  std::uint64_t total(std::size_t steps) const noexcept {
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(lanes_), _mm256_extracti128_si256(lanes_, 1));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0b01'00'11'10));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0b10'11'00'01));
    constexpr std::size_t kLessAStep = kStep / sizeof(std::uint16_t) * kLess;
    return steps * kLessAStep + static_cast<std::uint64_t>(std::int64_t{_mm_cvtsi128_si32(sums)});
  }

 private:
  static constexpr std::size_t kLess = 0x8000;

  // kStep bytes of which the last `count` are ones.
  static const std::byte* mask_of(std::size_t count) noexcept {
    static constexpr auto kMasks = [] {
      std::array<std::byte, 2 * kStep> masks{};
      for (std::size_t i = kStep; i < masks.size(); ++i) masks[i] = std::byte{0xff};
      return masks;
    }();
    return kMasks.data() + count;
  }
  void add(__m256i words) noexcept {
    const __m256i less = _mm256_xor_si256(words, _mm256_set1_epi16(static_cast<std::int16_t>(kLess)));
    lanes_ = _mm256_add_epi32(lanes_, _mm256_madd_epi16(less, _mm256_set1_epi16(1)));
  }

  __m256i lanes_ = _mm256_setzero_si256();
};

// In memory order, unfolded, as are the next three. At least WideSum::kStep bytes before the end are readable.
inline std::uint64_t sum_long(const std::byte* at, std::size_t count) noexcept {
  constexpr std::size_t kStep = WideSum::kStep;
  const std::byte* const end = at + (count & ~std::size_t{1});
  const std::size_t whole = count / kStep;
  WideSum sum;
#pragma GCC unroll 4
  for (std::size_t step = 0; step < whole; ++step) sum.add(at + step * kStep);
  sum.add_last(end, (count % kStep) & ~std::size_t{1});
  return sum.total(whole + 1) + ((count & 1) != 0 ? std::to_integer<std::uint64_t>(*end) : 0);
}

// Sums as sum_long() does, and copies. The last step, copied whole, covers bytes of the one before again.
inline std::uint64_t copy_long(std::byte* to, const std::byte* at, std::size_t count) noexcept {
  constexpr std::size_t kStep = WideSum::kStep;
  const std::size_t even = count & ~std::size_t{1}, whole = count / kStep;
  WideSum sum;
  for (std::size_t step = 0; step < whole; ++step) sum.add_copied(to + step * kStep, at + step * kStep);
  sum.add_last(at + even, even % kStep);
  std::memcpy(to + even - kStep, at + even - kStep, kStep);
  if (even == count) return sum.total(whole + 1);
  to[even] = at[even];
  return sum.total(whole + 1) + std::to_integer<std::uint64_t>(at[even]);
}

// `lead` is where an MCP datagram starts, magic and header; the tail is what follows it.
inline std::uint64_t sum_lead(const std::byte* lead) noexcept {
  constexpr std::size_t kWhole = kLeadBytes / WideSum::kStep;
  static_assert(kLeadBytes % WideSum::kStep == sizeof(std::uint16_t));
  WideSum sum;
  for (std::size_t step = 0; step < kWhole; ++step) sum.add(lead + step * WideSum::kStep);
  return sum.total(kWhole) + load_word<std::uint16_t>(lead + kWhole * WideSum::kStep);
}

inline std::uint64_t sum_tail(const std::byte* lead, std::size_t count) noexcept {
  return sum_long(lead + kLeadBytes, count);
}

// 0xffff when the 20 bytes of an IPv4 header are sound.
inline std::uint16_t sum_ipv4_header(const std::byte* header) noexcept {
  const std::uint64_t sum = add_carry(load_word<std::uint64_t>(header), load_word<std::uint64_t>(header + 8));
  return fold(add_carry(sum, load_word<std::uint32_t>(header + 16)));
}

}  // namespace mcplane::wire
