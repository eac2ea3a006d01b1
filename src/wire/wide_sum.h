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

#include "wire/checksum.h"
#include "wire/header.h"

namespace mcplane::wire {

// 2^16 - 1 divides 2^32 - 1 and 2^64 - 1: adding the halves of a word, carry included, keeps its value. The result is
// in memory order: byte-swapped, it is the sum that checksum.h speaks of.
constexpr std::uint16_t fold(std::uint32_t sum) noexcept { return sum_fold(sum); }
constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
  return fold(static_cast<std::uint32_t>((sum + std::rotl(sum, 32)) >> 32));
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
  std::uint32_t total(std::size_t steps) const noexcept {
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(lanes_), _mm256_extracti128_si256(lanes_, 1));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0b01'00'11'10));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0b10'11'00'01));
    return made_good(steps, static_cast<std::uint64_t>(_mm_cvtsi128_si64(sums)));
  }

  // Of two, whose lanes are added up together.
  struct Totals {
    std::uint32_t first, second;
  };
  static Totals totals(const WideSum& first, std::size_t first_steps, const WideSum& second,
                       std::size_t second_steps) noexcept {
    const __m256i pairs = _mm256_hadd_epi32(first.lanes_, second.lanes_);
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    sums = _mm_hadd_epi32(sums, sums);
    const auto both = static_cast<std::uint64_t>(_mm_cvtsi128_si64(sums));
    return {made_good(first_steps, both), made_good(second_steps, both >> 32)};
  }

 private:
  static constexpr std::size_t kLess = 0x8000;

  static std::uint32_t made_good(std::size_t steps, std::uint64_t sum) noexcept {
    constexpr std::size_t kLessAStep = kStep / sizeof(std::uint16_t) * kLess;
    return static_cast<std::uint32_t>(steps * kLessAStep + sum);
  }
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

// All but an odd last byte; returns the steps. At least WideSum::kStep bytes before the end are readable.
inline std::size_t add_long(WideSum& sum, const std::byte* at, std::size_t count) noexcept {
  constexpr std::size_t kStep = WideSum::kStep;
  const std::size_t whole = count / kStep;
#pragma GCC unroll 4
  for (std::size_t step = 0; step < whole; ++step) sum.add(at + step * kStep);
  sum.add_last(at + (count & ~std::size_t{1}), (count % kStep) & ~std::size_t{1});
  return whole + 1;
}
inline std::uint32_t odd_byte(const std::byte* at, std::size_t count) noexcept {
  return (count & 1) != 0 ? std::to_integer<std::uint32_t>(at[count - 1]) : 0;
}

// In memory order, unfolded, as are the next three.
inline std::uint32_t sum_long(const std::byte* at, std::size_t count) noexcept {
  WideSum sum;
  const std::size_t steps = add_long(sum, at, count);
  return sum.total(steps) + odd_byte(at, count);
}

// Sums as sum_long() does, and copies. The last step, copied whole, covers bytes of the one before again.
inline std::uint32_t copy_long(std::byte* to, const std::byte* at, std::size_t count) noexcept {
  constexpr std::size_t kStep = WideSum::kStep;
  const std::size_t even = count & ~std::size_t{1}, whole = count / kStep;
  WideSum sum;
  for (std::size_t step = 0; step < whole; ++step) sum.add_copied(to + step * kStep, at + step * kStep);
  sum.add_last(at + even, even % kStep);
  std::memcpy(to + even - kStep, at + even - kStep, kStep);
  if (even != count) to[even] = at[even];
  return sum.total(whole + 1) + odd_byte(at, count);
}

// `lead` is where an MCP datagram starts, magic and header, all but two bytes whole steps; the tail is what follows it.
inline constexpr std::size_t kLeadSteps = kLeadBytes / WideSum::kStep;
static_assert(kLeadBytes % WideSum::kStep == sizeof(std::uint16_t));
inline void add_lead(WideSum& sum, const std::byte* lead) noexcept {
  for (std::size_t step = 0; step < kLeadSteps; ++step) sum.add(lead + step * WideSum::kStep);
}
inline std::uint32_t last_of_lead(const std::byte* lead) noexcept {
  return load_word<std::uint16_t>(lead + kLeadSteps * WideSum::kStep);
}
inline std::uint32_t sum_lead(const std::byte* lead) noexcept {
  WideSum sum;
  add_lead(sum, lead);
  return sum.total(kLeadSteps) + last_of_lead(lead);
}

// Of a datagram with `count` bytes behind its lead.
struct DatagramSums {
  std::uint32_t lead, tail;
};
inline DatagramSums sum_datagram(const std::byte* lead, std::size_t count) noexcept {
  const std::byte* const behind = lead + kLeadBytes;
  WideSum first, second;
  add_lead(first, lead);
  const std::size_t steps = add_long(second, behind, count);
  const auto [head, tail] = WideSum::totals(first, kLeadSteps, second, steps);
  return {head + last_of_lead(lead), tail + odd_byte(behind, count)};
}

// 0xffff when the 20 bytes of an IPv4 header are sound.
inline std::uint16_t sum_ipv4_header(const std::byte* header) noexcept {
  const std::uint64_t sum = add_carry(load_word<std::uint64_t>(header), load_word<std::uint64_t>(header + 8));
  return fold(add_carry(sum, load_word<std::uint32_t>(header + 16)));
}

}  // namespace mcplane::wire
