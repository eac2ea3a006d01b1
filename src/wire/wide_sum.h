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
#include <limits>

#include "wire/checksum.h"
#include "wire/header.h"
#include "wire/layout.h"

namespace mcplane::wire {

// 2^16 - 1 divides 2^32 - 1 and 2^64 - 1: adding the halves of a word, carry included, keeps its value.
constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
  return fold(static_cast<std::uint32_t>((sum + std::rotl(sum, 32)) >> 32));
}

// Whether a sum, which is not 0, folds to 0xffff, as that over a sound checksum does: whether 2^16 - 1 divides it.
// Then, and only then, is its product with the inverse modulo 2^32 or 2^64 as small as a quotient.
template <class Sum>
constexpr bool is_all_ones(Sum sum) noexcept {
  constexpr Sum kQuotientMax = std::numeric_limits<Sum>::max() / 0xffff, kInverse = ~(kQuotientMax << 16);
  static_assert(static_cast<Sum>(kInverse * 0xffff) == 1);
  return static_cast<Sum>(sum * kInverse) <= kQuotientMax;
}

// With the carry that falls out at the top added in at the bottom.
constexpr std::uint64_t add_carry(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}

// In checksum.cc, so that they are loaded: a compiler that knows them makes them anew, by three instructions each,
// wherever it comes to them.
struct alignas(32) WideConstants {
  std::array<std::uint16_t, 16> less, ones;
};
extern const WideConstants kWideConstants;

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

  // Of so many calls' bytes, kStep each; of at most 64 KiB, which no frame is longer than.
  std::uint32_t total(std::size_t bytes) const noexcept {
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(lanes_), _mm256_extracti128_si256(lanes_, 1));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0b01'00'11'10));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0b10'11'00'01));
    return made_good(bytes, static_cast<std::uint64_t>(_mm_cvtsi128_si64(sums)));
  }

  // Of two, whose lanes are added up together.
  struct Totals {
    std::uint32_t first, second;
  };
  static Totals totals(const WideSum& first, std::size_t first_bytes, const WideSum& second,
                       std::size_t second_bytes) noexcept {
    const __m256i pairs = _mm256_hadd_epi32(first.lanes_, second.lanes_);
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    sums = _mm_hadd_epi32(sums, sums);
    const auto both = static_cast<std::uint64_t>(_mm_cvtsi128_si64(sums));
    return {made_good(first_bytes, both), made_good(second_bytes, both >> 32)};
  }

  static constexpr std::uint16_t kLess = 0x8000;

 private:
  static std::uint32_t made_good(std::size_t bytes, std::uint64_t sum) noexcept {
    return static_cast<std::uint32_t>(bytes / sizeof(std::uint16_t) * kLess + sum);
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
    const __m256i less = _mm256_xor_si256(words, load_word<__m256i>(&kWideConstants.less));
    lanes_ = _mm256_add_epi32(lanes_, _mm256_madd_epi16(less, load_word<__m256i>(&kWideConstants.ones)));
  }

  __m256i lanes_ = _mm256_setzero_si256();
};

// All but an odd last byte; returns what total() asks for. At least WideSum::kStep bytes before the end are readable.
inline std::size_t add_long(WideSum& sum, const std::byte* at, std::size_t count) noexcept {
  constexpr std::size_t kStep = WideSum::kStep;
  const std::size_t whole = count / kStep * kStep;
  const std::byte* const end = at + whole;
  if ((count & kStep) != 0) {
    sum.add(at);
    at += kStep;
  }
#pragma GCC unroll 1
  for (; at != end; at += 2 * kStep) {
    sum.add(at);
    sum.add(at + kStep);
  }
  const std::size_t last = (count % kStep) & ~std::size_t{1};
  sum.add_last(end + last, last);
  return whole + kStep;
}
inline std::uint32_t odd_byte(const std::byte* at, std::size_t count) noexcept {
  return (count & 1) != 0 ? std::to_integer<std::uint32_t>(at[count - 1]) : 0;
}

// Unfolded, as are the next three.
inline std::uint32_t sum_long(const std::byte* at, std::size_t count) noexcept {
  WideSum sum;
  const std::size_t bytes = add_long(sum, at, count);
  return sum.total(bytes) + odd_byte(at, count);
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
  return sum.total((whole + 1) * kStep) + odd_byte(at, count);
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
  return sum.total(kLeadSteps * WideSum::kStep) + last_of_lead(lead);
}

// Of a datagram with `count` bytes behind its lead.
struct DatagramSums {
  std::uint32_t lead, tail;
};
inline DatagramSums sum_datagram(const std::byte* lead, std::size_t count) noexcept {
  const std::byte* const behind = lead + kLeadBytes;
  WideSum first, second;
  add_lead(first, lead);
  const std::size_t bytes = add_long(second, behind, count);
  const auto [head, tail] = WideSum::totals(first, kLeadSteps * WideSum::kStep, second, bytes);
  return {head + last_of_lead(lead), tail + odd_byte(behind, count)};
}

// By the checksum of its 20 bytes, which as 32-bit words have a sum without a carry.
inline bool is_sound_ipv4_header(const std::byte* header) noexcept {
  const auto word = [header](std::size_t at) -> std::uint64_t { return load_word<std::uint32_t>(header + at); };
  return is_all_ones(word(0) + word(4) + word(8) + word(12) + word(16));
}

}  // namespace mcplane::wire
