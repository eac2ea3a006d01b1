#include "wire/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace mcplane::wire {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

// RFC 1071 section 1, word by word, of words in network order.
std::uint16_t naive_sum(std::span<const std::byte> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    std::uint32_t word = std::to_integer<std::uint32_t>(bytes[i]) << 8;
    if (i + 1 < bytes.size()) word |= std::to_integer<std::uint32_t>(bytes[i + 1]);
    sum += word;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return to_be16(static_cast<std::uint16_t>(sum));
}

TEST(Checksum, Rfc1071Example) {
  const auto bytes = bytes_of({0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7});
  EXPECT_EQ(sum_bytes(bytes), to_be16(0xddf2));
  EXPECT_EQ(checksum_of(sum_bytes(bytes)), to_be16(0x220d));
}

TEST(Checksum, KnownIpv4Header) {
  const auto header = bytes_of({0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7});
  EXPECT_EQ(checksum_of(sum_bytes(header)), to_be16(0xb861));
}

TEST(Checksum, EmptyOddAndExtremes) {
  EXPECT_EQ(sum_bytes({}), 0);
  EXPECT_EQ(sum_bytes(bytes_of({0x12})), to_be16(0x1200));
  EXPECT_EQ(sum_bytes(bytes_of({0x12, 0x34, 0x56})), to_be16(0x6834));
  EXPECT_EQ(sum_bytes(std::vector<std::byte>(1000)), 0);
  EXPECT_EQ(sum_bytes(std::vector<std::byte>(65'536, std::byte{0xff})), 0xffff);
}

TEST(Checksum, CopiesWhatItSumsAndNothingElse) {
  constexpr std::byte kUntouched{0xa5};
  Random random(3);
  std::vector<std::byte> bytes(300);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
  for (std::size_t start = 0; start < 8; ++start)
    for (std::size_t length = 0; start + length <= bytes.size(); ++length) {
      const auto part = std::span(bytes).subspan(start, length);
      std::vector<std::byte> copy(length + 2, kUntouched);
      ASSERT_EQ(copy_and_sum(copy.data() + 1, part), naive_sum(part)) << start << ' ' << length;
      ASSERT_TRUE(std::ranges::equal(std::span(copy).subspan(1, length), part)) << start << ' ' << length;
      ASSERT_EQ(copy.front(), kUntouched);
      ASSERT_EQ(copy.back(), kUntouched) << length;
    }
}

TEST(Checksum, EveryLengthAndAlignmentEqualsTheNaiveSum) {
  Random random(1);
  std::vector<std::byte> bytes(400);
  for (int round = 0; round < 8; ++round) {
    // The last rounds are mostly 0xff, where carries happen at every step.
    for (auto& byte : bytes) byte = round < 4 ? static_cast<std::byte>(random.next()) : std::byte{0xff};
    if (round >= 4) bytes[random.below(400)] = static_cast<std::byte>(random.next());
    for (std::size_t start = 0; start < 8; ++start)
      for (std::size_t length = 0; start + length <= bytes.size(); ++length) {
        const auto part = std::span(bytes).subspan(start, length);
        ASSERT_EQ(sum_bytes(part), naive_sum(part)) << start << ' ' << length;
      }
  }
}

TEST(Checksum, SumsOfPartsAddAndSubtract) {
  Random random(2);
  std::vector<std::byte> bytes(333);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
  const std::uint16_t whole = sum_bytes(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); cut += 2) {
    const std::uint16_t head = sum_bytes(std::span(bytes).first(cut)), tail = sum_bytes(std::span(bytes).subspan(cut));
    ASSERT_EQ(sum_add(head, tail), whole);
    // 0 and 0xffff are one number in one's complement.
    ASSERT_EQ(sum_subtract(whole, head) % 0xffff, tail % 0xffff);
  }
}

TEST(Checksum, UdpNeverSendsZero) {
  EXPECT_EQ(checksum_of(0xffff), 0);
  EXPECT_EQ(udp_checksum_of(0xffff), 0xffff);
  EXPECT_EQ(udp_checksum_of(0), 0xffff);
  EXPECT_EQ(udp_checksum_of(0x1234), 0xedcb);
  EXPECT_EQ(udp_checksum_of(3 * 0xffff), 0xffff);
  EXPECT_EQ(udp_checksum_of(0x7fff'ffff), checksum_of(fold(0x7fff'ffffU)));
}

TEST(Checksum, PseudoHeaderOfBothFamilies) {
  // RFC 768: source, destination, zero, protocol, length.
  const auto v4 = bytes_of({10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0x01, 0x02});
  EXPECT_EQ(sum_pseudo(IpAddress::v4({10, 0, 0, 1}), IpAddress::v4({10, 0, 0, 2}), 17, 0x102), naive_sum(v4));
  IpAddress a{}, b{};
  std::vector<std::byte> v6;
  for (std::size_t i = 0; i < 16; ++i) a.bytes[i] = static_cast<std::uint8_t>(0xf0 + i);
  for (std::size_t i = 0; i < 16; ++i) b.bytes[i] = static_cast<std::uint8_t>(0x37 * i);
  for (const auto& ip : {a, b})
    for (const auto byte : ip.bytes) v6.push_back(std::byte{byte});
  // RFC 8200 8.1: a 32-bit length, then the next header.
  for (const int value : {0x00, 0x01, 0xff, 0xfe, 0, 0, 0, 58}) v6.push_back(static_cast<std::byte>(value));
  EXPECT_EQ(sum_pseudo(a, b, 58, 0x1fffe), naive_sum(v6));
}

TEST(Checksum, SumsThatWereAddedAsNumbersFoldToTheirSum) {
  Random random(11);
  for (int i = 0; i < 10'000; ++i) {
    const auto a = static_cast<std::uint16_t>(random.next()), b = static_cast<std::uint16_t>(random.next()),
               c = static_cast<std::uint16_t>(random.next());
    ASSERT_EQ(fold(std::uint32_t{a} + b + c), sum_add(sum_add(a, b), c));
  }
  EXPECT_EQ(fold(0U), 0);
  EXPECT_EQ(fold(0xffffU), 0xffff);
  EXPECT_EQ(fold(3 * 0xffffU), 0xffff);
}

}  // namespace
}  // namespace mcplane::wire
