// What a guest's packed ring has to offer, as its driver writes it: the flags of virtio 1.2, 2.8.1, and the turn of the
// wrap counter at the ring's end.
#include "net/packed_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace mcplane::net {
namespace {

constexpr std::uint16_t kAvailable = 1U << PackedRing::kAvailableBit, kUsed = 1U << PackedRing::kUsedBit;
constexpr std::uint16_t kWrap = 0x8000;  // in where a device stands
constexpr std::uint16_t kSize = 5;

class Driver {
 public:
  Driver() : ring_(descriptors_.data(), kSize) {}

  void offer(std::uint64_t address, std::uint32_t length) {
    descriptors_[at_] = {address, length, at_, wrap_ ? kAvailable : kUsed};
    if (++at_ < kSize) return;
    at_ = 0;
    wrap_ = !wrap_;
  }
  // The device gives the descriptor back that it has used in this round.
  void use(std::uint16_t at, bool wrap) { descriptors_[at].flags = wrap ? kAvailable | kUsed : 0; }

  std::vector<std::pair<std::uint64_t, std::uint32_t>> seen(std::uint16_t stands, std::uint16_t most) const {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> all;
    ring_.for_available(stands, most,
                        [&all](std::uint64_t address, std::uint32_t length) { all.emplace_back(address, length); });
    return all;
  }

 private:
  std::array<PackedDescriptor, kSize> descriptors_{};
  PackedRing ring_;
  std::uint16_t at_ = 0;
  bool wrap_ = true;
};

using Seen = std::vector<std::pair<std::uint64_t, std::uint32_t>>;

TEST(PackedRing, AnEmptyOneHasNothing) {
  const Driver driver;
  EXPECT_EQ(driver.seen(kWrap | 0, 4), Seen{});
  const PackedRing none;
  none.for_available(kWrap | 0, 4, [](std::uint64_t, std::uint32_t) { FAIL(); });
}

TEST(PackedRing, WhatIsAvailableIsSeenInOrderUpToTheMost) {
  Driver driver;
  for (std::uint32_t i = 0; i < 3; ++i) driver.offer(0x1000 + i, 100 + i);
  EXPECT_EQ(driver.seen(kWrap | 0, 2), (Seen{{0x1000, 100}, {0x1001, 101}}));
  EXPECT_EQ(driver.seen(kWrap | 0, 64), (Seen{{0x1000, 100}, {0x1001, 101}, {0x1002, 102}}));
  EXPECT_EQ(driver.seen(kWrap | 2, 64), (Seen{{0x1002, 102}}));
  EXPECT_EQ(driver.seen(kWrap | 3, 64), Seen{});
}

TEST(PackedRing, BehindTheEndTheWrapCounterTurns) {
  Driver driver;
  for (std::uint32_t i = 0; i < kSize; ++i) driver.offer(i, i);
  for (std::uint16_t i = 0; i < 3; ++i) driver.use(i, true);
  driver.offer(10, 10);
  driver.offer(11, 11);
  EXPECT_EQ(driver.seen(kWrap | 3, 64), (Seen{{3, 3}, {4, 4}, {10, 10}, {11, 11}}));
  EXPECT_EQ(driver.seen(0, 64), (Seen{{10, 10}, {11, 11}})) << "the device has gone round too";
}

TEST(PackedRing, AFullOneIsSeenOnce) {
  Driver driver;
  for (std::uint32_t i = 0; i < kSize; ++i) driver.offer(i, i);
  EXPECT_EQ(driver.seen(kWrap | 0, 64).size(), kSize);
  EXPECT_EQ(driver.seen(0, 64), Seen{}) << "nothing of the next round yet";
}

TEST(PackedRing, APlaceOutsideItIsNoPlace) {
  Driver driver;
  driver.offer(1, 1);
  EXPECT_EQ(driver.seen(kWrap | kSize, 64), Seen{});
}

}  // namespace
}  // namespace mcplane::net
