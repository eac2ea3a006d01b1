// Vectors of the SipHash reference implementation: key 00..0f, input 00, 01, 02 ... of each length.
#include "base/siphash.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>

namespace mcplane {
namespace {

TEST(SipHash, MatchesTheReferenceVectors) {
  constexpr SipKey kKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::array<std::byte, 64> input;
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::byte>(i);
  constexpr std::pair<std::size_t, std::uint64_t> kVectors[] = {
      {0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {2, 0x0d6c8009d9a94f5a},  {3, 0x85676696d7fb7e2d},
      {7, 0xab0200f58b01d137}, {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572}};
  for (const auto& [length, hash] : kVectors)
    EXPECT_EQ(siphash24(kKey, std::span(input).first(length)), hash) << "length " << length;
}

TEST(SipHash, DependsOnTheKey) {
  const std::array<std::byte, 8> input{};
  EXPECT_NE(siphash24({1, 2}, input), siphash24({1, 3}, input));
  EXPECT_NE(siphash24({1, 2}, input), siphash24({2, 2}, input));
}

}  // namespace
}  // namespace mcplane
