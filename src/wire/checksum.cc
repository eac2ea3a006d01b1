// One's complement sums do not care about byte order until the end (RFC 1071 2(B)), so words are added as they
// lie, sixty-four bytes at a time, and the total is swapped once.
#include "wire/checksum.h"

#include <cstring>

namespace mcplane::wire {
namespace {

template <class Word>
std::uint64_t load(const std::byte* at) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

void add(std::uint64_t& sum, std::uint64_t word) noexcept {
  sum += word;
  sum += sum < word ? 1 : 0;
}

// Four words side by side. Their halves are added apart: 2^32 of them fit before anything is carried out.
using Lanes [[gnu::vector_size(32)]] = std::uint64_t;

struct LaneSums {
  Lanes low{}, high{};
  void add(const std::byte* at) noexcept {
    Lanes words;
    std::memcpy(&words, at, sizeof words);
    low += words & 0xffffffffU;
    high += words >> 32;
  }
};

// 2^16 - 1 divides 2^64 - 1: folding halves keeps the value.
std::uint16_t fold(std::uint64_t sum) noexcept {
  sum = (sum & 0xffffffffU) + (sum >> 32);
  sum = (sum & 0xffffffffU) + (sum >> 32);
  sum = (sum & 0xffffU) + (sum >> 16);
  sum = (sum & 0xffffU) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

std::uint16_t sum_bytes(std::span<const std::byte> bytes) noexcept {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t a = 0, b = 0, c = 0, d = 0;
  if (left >= 64) {
    LaneSums even, odd;
    for (; left >= 64; at += 64, left -= 64) {
      even.add(at);
      odd.add(at + 32);
    }
    const Lanes low = even.low + odd.low, high = even.high + odd.high;
    a = low[0] + low[1] + low[2] + low[3];
    b = high[0] + high[1] + high[2] + high[3];
  }
  for (; left >= 8; at += 8, left -= 8) add(a, load<std::uint64_t>(at));
  // Up to 7 bytes are left: no call for so few.
  if ((left & 4) != 0) {
    add(b, load<std::uint32_t>(at));
    at += 4;
  }
  if ((left & 2) != 0) {
    add(c, load<std::uint16_t>(at));
    at += 2;
  }
  if ((left & 1) != 0) add(d, std::to_integer<std::uint64_t>(*at));
  add(a, b);
  add(c, d);
  add(a, c);
  return __builtin_bswap16(fold(a));
}

std::uint16_t sum_pseudo(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                         std::uint32_t length_bytes) noexcept {
  // The mapped form of an IPv4 address adds 0xffff, which is zero here; the protocol keeps the sum from being 0.
  std::uint64_t sum = 0;
  for (const IpAddress* ip : {&source, &destination})
    for (const std::uint64_t word : ip->words()) add(sum, word);
  return fold(std::uint64_t{__builtin_bswap16(fold(sum))} + protocol + length_bytes);
}

}  // namespace mcplane::wire
