// See checksum.h and wide_sum.h.
#include "wire/checksum.h"

#include "wire/wide_sum.h"

namespace mcplane::wire {

const WideConstants kWideConstants = [] {
  WideConstants constants{};
  constants.less.fill(WideSum::kLess);
  constants.ones.fill(1);
  return constants;
}();

std::uint16_t sum_bytes(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() >= WideSum::kStep) return fold(sum_long(bytes.data(), bytes.size()));
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
  return fold(add_carry(sum, rest));
}

std::uint16_t copy_and_sum(std::byte* to, std::span<const std::byte> bytes) noexcept {
  if (bytes.size() >= WideSum::kStep) return fold(copy_long(to, bytes.data(), bytes.size()));
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return sum_bytes(bytes);
}

std::uint16_t sum_pseudo(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                         std::uint32_t length_bytes) noexcept {
  // The mapped form of an IPv4 address adds 0xffff, which is zero here; the protocol keeps the sum from being 0.
  std::uint64_t sum = 0;
  for (const IpAddress* ip : {&source, &destination})
    for (const std::uint64_t word : ip->words()) sum = add_carry(sum, word);
  return fold(add_carry(sum, std::uint64_t{to_be16(protocol)} + __builtin_bswap32(length_bytes)));
}

}  // namespace mcplane::wire
