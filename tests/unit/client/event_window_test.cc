// Gaps in a shard's event numbers: what is missed, and what only came late.
#include "client/event_window.h"

#include <gtest/gtest.h>

namespace mcplane::client {
namespace {

TEST(EventWindow, InOrderMissesNothing) {
  EventWindow window;
  for (std::uint32_t number = 1; number <= 1'000; ++number) EXPECT_TRUE(window.take(number));
  EXPECT_EQ(window.missed(), 0U);
}

TEST(EventWindow, LossBeforeTheFirstShows) {
  EventWindow window;
  EXPECT_TRUE(window.take(4));
  EXPECT_EQ(window.missed(), 3U);
}

TEST(EventWindow, LateOnesAreNotMissedButRepeatsAreRefused) {
  EventWindow window;
  for (const std::uint32_t number : {1U, 5U}) window.take(number);
  EXPECT_EQ(window.missed(), 3U);
  EXPECT_TRUE(window.take(3));
  EXPECT_EQ(window.missed(), 2U);
  for (const std::uint32_t number : {1U, 3U, 5U}) EXPECT_FALSE(window.take(number)) << number;
  EXPECT_EQ(window.missed(), 2U);
}

TEST(EventWindow, IsSixtyFourNumbersLong) {
  EventWindow window;
  EXPECT_TRUE(window.take(100));
  EXPECT_FALSE(window.take(36)) << "63 behind is the last that is in it";
  EXPECT_TRUE(window.take(37));
  EXPECT_EQ(window.missed(), 98U);
  EXPECT_TRUE(window.take(100 + EventWindow::kNumbers));
  EXPECT_FALSE(window.take(100)) << "64 behind";
  EXPECT_TRUE(window.take(101));
}

TEST(EventWindow, NumbersCountRound) {
  EventWindow window;
  for (const std::uint32_t number : {0x7fff'fff0U, 0xffff'ff00U, 0xffff'fffeU}) window.take(number);
  const std::uint64_t before = window.missed();
  EXPECT_TRUE(window.take(0xffff'ffffU));
  EXPECT_TRUE(window.take(1));
  EXPECT_EQ(window.missed(), before + 1);
  EXPECT_TRUE(window.take(0));
  EXPECT_EQ(window.missed(), before);
}

TEST(EventWindow, NumbersBeforeTheFirstAreNone) {
  EventWindow window;
  EXPECT_FALSE(window.take(0));
  EXPECT_TRUE(window.take(1));
  EXPECT_FALSE(window.take(0));
  EXPECT_EQ(window.missed(), 0U);
}

}  // namespace
}  // namespace mcplane::client
