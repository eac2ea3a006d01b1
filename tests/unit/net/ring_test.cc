// The SPSC ring on one thread, and with a real producer and consumer; the latter is what the TSan build is for.
#include "net/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "net/packet.h"

namespace mcplane::net {
namespace {

// Every word is made from the sequence number, so a torn or misplaced copy shows.
template <std::size_t kBytes>
struct Element {
  std::array<std::uint32_t, kBytes / 4> words{};

  static Element of(std::uint32_t sequence) {
    Element element;
    for (std::uint32_t i = 0; i < element.words.size(); ++i) element.words[i] = sequence ^ (i * 0x9e3779b9U);
    return element;
  }
  friend bool operator==(const Element&, const Element&) = default;
};

template <class T>
class RingOf : public ::testing::Test {};
using ElementSizes = ::testing::Types<Element<4>, Element<8>, Element<12>, Element<32>, Element<2048>>;
TYPED_TEST_SUITE(RingOf, ElementSizes);

TYPED_TEST(RingOf, IsFirstInFirstOutThroughManyWraps) {
  SpscRing<TypeParam> ring(7);
  std::uint32_t pushed = 0, popped = 0;
  // Bursts of 5 and 3 meet the end of the storage at every offset.
  for (int round = 0; round < 500; ++round) {
    std::array<TypeParam, 5> in;
    for (std::uint32_t i = 0; i < in.size(); ++i) in[i] = TypeParam::of(pushed + i);
    pushed += static_cast<std::uint32_t>(ring.push(in));
    std::array<TypeParam, 3> out;
    const std::size_t count = ring.pop(out);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(out[i], TypeParam::of(popped++));
    ASSERT_EQ(ring.size(), pushed - popped);
  }
  EXPECT_EQ(popped, 1500U);
}

TYPED_TEST(RingOf, KeepsOrderBetweenTwoThreads) {
  constexpr std::uint32_t kCount = sizeof(TypeParam) > 64 ? 100'000 : 1'000'000;
  SpscRing<TypeParam> ring(255);
  std::thread producer([&ring] {
    std::vector<TypeParam> burst(32);
    for (std::uint32_t next = 0; next < kCount;) {
      const std::uint32_t count = std::min<std::uint32_t>(1 + next % 32, kCount - next);
      for (std::uint32_t i = 0; i < count; ++i) burst[i] = TypeParam::of(next + i);
      std::size_t done = ring.push(std::span(burst).first(count));
      if (done == 0) std::this_thread::yield();
      next += static_cast<std::uint32_t>(done);
    }
  });
  std::vector<TypeParam> burst(64);
  std::uint32_t expected = 0, wrong = 0;
  while (expected < kCount) {
    const std::size_t count = ring.pop(burst);
    if (count == 0) std::this_thread::yield();
    for (std::size_t i = 0; i < count; ++i) wrong += burst[i] == TypeParam::of(expected++) ? 0U : 1U;
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(ring.size(), 0U);
}

TEST(Ring, HoldsExactlyItsCapacity) {
  for (const std::size_t capacity : {1U, 2U, 3U, 7U, 8U, 100U, 1024U}) {
    SpscRing<std::uint32_t> ring(capacity);
    std::vector<std::uint32_t> in(capacity + 3);
    std::iota(in.begin(), in.end(), 0U);
    EXPECT_EQ(ring.push(in), capacity);
    EXPECT_FALSE(ring.try_push(1));
    EXPECT_EQ(ring.size(), capacity);
    std::vector<std::uint32_t> out(capacity + 3);
    EXPECT_EQ(ring.pop(out), capacity);
    EXPECT_TRUE(std::equal(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(capacity), out.begin()));
    EXPECT_EQ(ring.pop(out), 0U);
  }
}

TEST(Ring, TakesThePartOfABurstThatFits) {
  SpscRing<std::uint32_t> ring(4);
  EXPECT_EQ(ring.push(std::array<std::uint32_t, 3>{1, 2, 3}), 3U);
  EXPECT_EQ(ring.push(std::array<std::uint32_t, 3>{4, 5, 6}), 1U);
  std::array<std::uint32_t, 2> two;
  EXPECT_EQ(ring.pop(two), 2U);
  EXPECT_EQ(two, (std::array<std::uint32_t, 2>{1, 2}));
  std::array<std::uint32_t, 8> rest{};
  EXPECT_EQ(ring.pop(rest), 2U);
  EXPECT_EQ(rest[0], 3U);
  EXPECT_EQ(rest[1], 4U);
}

TEST(Ring, EmptySpansDoNothing) {
  SpscRing<std::uint32_t> ring(4);
  EXPECT_EQ(ring.push({}), 0U);
  ASSERT_TRUE(ring.try_push(7));
  EXPECT_EQ(ring.pop({}), 0U);
  EXPECT_EQ(ring.size(), 1U);
}

TEST(Ring, CarriesPackets) {
  std::array<std::byte, 64> bytes{};
  SpscRing<Packet> ring(3);
  ASSERT_TRUE(ring.try_push(Packet(bytes.data(), &bytes, 60, 128, PortId{2})));
  std::array<Packet, 2> out;
  ASSERT_EQ(ring.pop(out), 1U);
  EXPECT_EQ(out[0].data(), bytes.data());
  EXPECT_EQ(out[0].buffer(), &bytes);
  EXPECT_EQ(out[0].length(), 60);
  EXPECT_EQ(out[0].headroom(), 128);
  EXPECT_EQ(out[0].port(), PortId{2});
}

TEST(RingDeathTest, RefusesElementsThatAreNotWholeWords) {
  EXPECT_DEATH(RingStorage(6, 8), "element_bytes % 4 == 0");
  EXPECT_DEATH(RingStorage(4, 0), "capacity > 0");
}

}  // namespace
}  // namespace mcplane::net
