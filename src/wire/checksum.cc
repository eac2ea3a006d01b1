// One's complement sums do not care about byte order until the end (RFC 1071 2(B)), so words are added as they
// lie, sixty-four bytes at a time, and the total is swapped once.
#include "wire/checksum.h"

#include <cstring>

#include "wire/wide_sum.h"

namespace mcplane::wire {
namespace {

template <class Word>
std::uint64_t load(const std::byte* at) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// At least one step of a WideSum.
std::uint64_t sum_long(std::span<const std::byte> bytes) noexcept {
  constexpr auto kStep = static_cast<std::ptrdiff_t>(WideSum::kStep);
  const std::byte* at = bytes.data();
  const std::byte* const end = at + (bytes.size() & ~std::size_t{1});
  WideSum even, odd;
  for (; end - at >= 2 * kStep; at += 2 * kStep) {
    even.add(at);
    odd.add(at + kStep);
  }
  if (end - at >= kStep) {
    even.add(at);
    at += kStep;
  }
  odd.add_last(end, static_cast<std::size_t>(end - at));
  return even.total() + odd.total() + ((bytes.size() & 1) != 0 ? std::to_integer<std::uint64_t>(*end) : 0);
}

}  // namespace

std::uint16_t sum_bytes(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() >= WideSum::kStep) return __builtin_bswap16(fold(sum_long(bytes)));
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum = 0;
  for (; left >= 8; at += 8, left -= 8) sum = add_carry(sum, load<std::uint64_t>(at));
  // Up to 7 bytes are left: no call for so few.
  std::uint64_t rest = 0;
  if ((left & 4) != 0) {
    rest += load<std::uint32_t>(at);
    at += 4;
  }
  if ((left & 2) != 0) {
    rest += load<std::uint16_t>(at);
    at += 2;
  }
  if ((left & 1) != 0) rest += std::to_integer<std::uint64_t>(*at);
  return __builtin_bswap16(fold(add_carry(sum, rest)));
}

std::uint16_t sum_ipv4_header(const std::byte* header) noexcept {
  const std::uint64_t sum = add_carry(load<std::uint64_t>(header), load<std::uint64_t>(header + 8));
  return __builtin_bswap16(fold(add_carry(sum, load<std::uint32_t>(header + 16))));
}

std::uint16_t sum_pseudo(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                         std::uint32_t length_bytes) noexcept {
  // The mapped form of an IPv4 address adds 0xffff, which is zero here; the protocol keeps the sum from being 0.
  std::uint64_t sum = 0;
  for (const IpAddress* ip : {&source, &destination})
    for (const std::uint64_t word : ip->words()) sum = add_carry(sum, word);
  return fold(std::uint64_t{__builtin_bswap16(fold(sum))} + protocol + length_bytes);
}

}  // namespace mcplane::wire
