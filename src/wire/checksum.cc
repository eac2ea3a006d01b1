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

}  // namespace

std::uint16_t sum_bytes(std::span<const std::byte> bytes) noexcept {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum = 0;
  if (left >= 2 * WideSum::kStep) {
    WideSum even, odd;
    for (; left >= 2 * WideSum::kStep; at += 2 * WideSum::kStep, left -= 2 * WideSum::kStep) {
      even.add(at);
      odd.add(at + WideSum::kStep);
    }
    sum = even.total() + odd.total();
  }
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
  std::uint64_t sum = load<std::uint64_t>(header);
  sum = add_carry(sum, load<std::uint64_t>(header + 8));
  sum = add_carry(sum, load<std::uint32_t>(header + 16));
  return __builtin_bswap16(fold(sum));
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
