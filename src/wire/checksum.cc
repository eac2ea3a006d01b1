// One's complement sums do not care about byte order until the end (RFC 1071 2(B)), so words are added as they
// lie, sixty-four bytes at a time, and the total is swapped once.
#include "wire/checksum.h"

#include "wire/wide_sum.h"

namespace mcplane::wire {

std::uint16_t sum_bytes(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() >= WideSum::kStep) return __builtin_bswap16(fold(sum_long(bytes.data(), bytes.size())));
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum = 0;
  for (; left >= 8; at += 8, left -= 8) sum = add_carry(sum, load_word<std::uint64_t>(at));
  // Up to 7 bytes are left: no call for so few.
  std::uint64_t rest = 0;
  if ((left & 4) != 0) {
    rest += load_word<std::uint32_t>(at);
    at += 4;
  }
  if ((left & 2) != 0) {
    rest += load_word<std::uint16_t>(at);
    at += 2;
  }
  if ((left & 1) != 0) rest += std::to_integer<std::uint64_t>(*at);
  return __builtin_bswap16(fold(add_carry(sum, rest)));
}

std::uint16_t copy_and_sum(std::byte* to, std::span<const std::byte> bytes) noexcept {
  if (bytes.size() >= WideSum::kStep) return __builtin_bswap16(fold(copy_long(to, bytes.data(), bytes.size())));
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return sum_bytes(bytes);
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
