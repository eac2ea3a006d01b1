#include "control/peers/subscriptions.h"

#include <gtest/gtest.h>

namespace mcplane::control {
namespace {

constexpr SessionId kOne{1}, kTwo{2};

TEST(Subscriptions, TheSameNumberTakesItsPlace) {
  Subscriptions subscriptions;
  EXPECT_TRUE(subscriptions.try_set(kOne, 1, "a", ""));
  const std::uint64_t version = subscriptions.version();
  EXPECT_TRUE(subscriptions.try_set(kOne, 1, "a", ""));
  EXPECT_EQ(subscriptions.version(), version) << "a repetition changes nothing";
  EXPECT_TRUE(subscriptions.try_set(kOne, 1, "b", "g"));
  EXPECT_NE(subscriptions.version(), version);
  EXPECT_EQ(subscriptions.size(), 1U);
  EXPECT_EQ(subscriptions.by_session().at(1).at(1), (Subscriptions::Subscription{"b", "g"}));
}

TEST(Subscriptions, WhoHasNoneIsNotKept) {
  Subscriptions subscriptions;
  subscriptions.try_set(kOne, 1, "a", "");
  subscriptions.try_set(kOne, 2, "a", "");
  subscriptions.try_set(kTwo, 1, "a", "");
  subscriptions.remove(kTwo, 1);
  subscriptions.remove(kTwo, 1);
  EXPECT_EQ(subscriptions.size(), 2U);
  EXPECT_FALSE(subscriptions.by_session().contains(2));
  subscriptions.remove_all(kOne);
  subscriptions.remove_all(kOne);
  EXPECT_EQ(subscriptions.size(), 0U);
  EXPECT_TRUE(subscriptions.by_session().empty());
}

TEST(Subscriptions, CapsHold) {
  Subscriptions subscriptions;
  const auto fill = [&](std::uint32_t session) {
    for (std::uint32_t number = 1; number <= Subscriptions::kOfSessionMax; ++number)
      ASSERT_TRUE(subscriptions.try_set({session}, number, "a", ""));
  };
  fill(1);
  EXPECT_FALSE(subscriptions.try_set(kOne, 5'000, "a", ""));
  EXPECT_TRUE(subscriptions.try_set(kOne, 7, "b", "")) << "in the place of another";
  const std::uint32_t sessions = Subscriptions::kMax / Subscriptions::kOfSessionMax;
  for (std::uint32_t session = 2; session <= sessions; ++session) fill(session);
  EXPECT_EQ(subscriptions.size(), Subscriptions::kMax);
  EXPECT_FALSE(subscriptions.try_set({sessions + 1}, 1, "a", ""));
  EXPECT_FALSE(subscriptions.by_session().contains(sessions + 1));
  subscriptions.remove(kOne, 7);
  EXPECT_TRUE(subscriptions.try_set({sessions + 1}, 1, "a", ""));
}

}  // namespace
}  // namespace mcplane::control
