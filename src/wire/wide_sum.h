// A one's complement sum in the making (RFC 1071): words as they lie in memory, four lanes side by side, folded once
// at the end. Halves of 64-bit words are added apart, so that 2^32 of them fit before anything is carried out.
// Pure; any thread. For the hot path; everybody else calls sum_bytes().
#pragma once

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

class WideSum {
 public:
  static constexpr std::size_t kStep = 32;  // bytes

  void add(const std::byte* at) noexcept { add(load(at)); }
  void add_copied(std::byte* to, const std::byte* at) noexcept {
    const Lanes words = load(at);
    std::memcpy(to, &words, sizeof words);
    add(words);
  }

  // The last `count` bytes, 0 to kStep and even, of the kStep bytes before `end`, which are all readable.
  void add_last(const std::byte* end, std::size_t count) noexcept { add(load(end - kStep) & load(mask_of(count))); }

  // Less than 2^48 for anything that fits a frame.
  std::uint64_t total() const noexcept {
    const Lanes lanes = low_ + high_;
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
  }

 private:
  using Lanes [[gnu::vector_size(kStep)]] = std::uint64_t;

  static Lanes load(const std::byte* at) noexcept {
    Lanes words;
    std::memcpy(&words, at, sizeof words);
    return words;
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
  void add(Lanes words) noexcept {
    low_ += words & 0xffffffffU;
    high_ += words >> 32;
  }

  Lanes low_{}, high_{};
};

// In memory order, unfolded, as are the next three. At least WideSum::kStep bytes before the end are readable.
inline std::uint64_t sum_long(const std::byte* at, std::size_t count) noexcept {
  constexpr auto kStep = static_cast<std::ptrdiff_t>(WideSum::kStep);
  const std::byte* const end = at + (count & ~std::size_t{1});
  WideSum sum;
  for (; end - at >= 2 * kStep; at += 2 * kStep) {
    sum.add(at);
    sum.add(at + kStep);
  }
  if (end - at >= kStep) {
    sum.add(at);
    at += kStep;
  }
  sum.add_last(end, static_cast<std::size_t>(end - at));
  return sum.total() + ((count & 1) != 0 ? std::to_integer<std::uint64_t>(*end) : 0);
}

// Sums as sum_long() does, and copies. The last step, copied whole, covers bytes of the one before again.
inline std::uint64_t copy_long(std::byte* to, const std::byte* at, std::size_t count) noexcept {
  constexpr auto kStep = static_cast<std::ptrdiff_t>(WideSum::kStep);
  const std::byte* const end = at + (count & ~std::size_t{1});
  std::byte* const to_end = to + (end - at);
  WideSum sum;
  for (; end - at >= kStep; at += kStep, to += kStep) sum.add_copied(to, at);
  sum.add_last(end, static_cast<std::size_t>(end - at));
  std::memcpy(to_end - kStep, end - kStep, kStep);
  if ((count & 1) == 0) return sum.total();
  *to_end = *end;
  return sum.total() + std::to_integer<std::uint64_t>(*end);
}

// `lead` is where an MCP datagram starts, magic and header; the tail is what follows
// it.
inline std::uint64_t sum_lead(const std::byte* lead) noexcept {
  constexpr std::size_t kWhole = kLeadBytes / WideSum::kStep * WideSum::kStep;
  static_assert(kLeadBytes - kWhole == sizeof(std::uint16_t));
  WideSum sum;
  for (std::size_t at = 0; at < kWhole; at += WideSum::kStep) sum.add(lead + at);
  return sum.total() + load_word<std::uint16_t>(lead + kWhole);
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
