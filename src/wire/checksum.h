// The Internet checksum (RFC 1071) and its incremental use (RFC 1624).
// A sum is the 16-bit one's complement sum of 16-bit words as they lie in memory, not yet complemented. So are checksum
// fields: in whatever order bytes are, their sum is in the same (RFC 1071 2(B)), and nothing is ever swapped but
// numbers. Pure; any thread. Full sum of 256 B: about 23 cycles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/address.h"

namespace mcplane::wire {

// Sum of bytes that start at an even offset of the checksummed whole; an odd last byte is padded with 0. At most
// 64 KiB.
std::uint16_t sum_bytes(std::span<const std::byte> bytes) noexcept;

// Copies bytes to where they are to lie next, apart from them, and returns their sum: one pass for both.
std::uint16_t copy_and_sum(std::byte* to, std::span<const std::byte> bytes) noexcept;

constexpr std::uint16_t sum_add(std::uint16_t a, std::uint16_t b) noexcept {
  const std::uint32_t sum = std::uint32_t{a} + b;
  return static_cast<std::uint16_t>((sum & 0xffffU) + (sum >> 16));
}
// Of sums that were added as numbers.
constexpr std::uint16_t fold(std::uint32_t sum) noexcept {
  return static_cast<std::uint16_t>((sum + (sum << 16 | sum >> 16)) >> 16);
}
// a - b in one's complement arithmetic.
constexpr std::uint16_t sum_subtract(std::uint16_t a, std::uint16_t b) noexcept {
  return sum_add(a, static_cast<std::uint16_t>(~b));
}
// What a number adds to a sum: as it lies in a header.
constexpr std::uint16_t to_be16(std::uint16_t number) noexcept { return __builtin_bswap16(number); }

// The value of a checksum field whose covered words, without the field, sum to `sum`.
constexpr std::uint16_t checksum_of(std::uint16_t sum) noexcept { return static_cast<std::uint16_t>(~sum); }
// Same for UDP, where 0 means "none" and is sent as 0xffff; of sums that were added as numbers, to less than 2^31.
constexpr std::uint16_t udp_checksum_of(std::uint32_t sum) noexcept {
  constexpr std::uint32_t kZero = 0xffff'0000;  // in one's complement arithmetic
  return fold(kZero - sum);
}

// Sum of the pseudo header of UDP or ICMPv6. Both addresses are of one family.
std::uint16_t sum_pseudo(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                         std::uint32_t length_bytes) noexcept;

}  // namespace mcplane::wire
