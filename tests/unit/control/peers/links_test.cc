// Links: how often they are read, what is said of their changes, and when our addresses are announced.
#include "control/peers/links.h"

#include <gtest/gtest.h>

namespace mcplane::control {
namespace {

class LinksTest : public ::testing::Test {
 protected:
  // One poll; the ports that changed.
  std::vector<int> poll() {
    std::vector<int> changes;
    links.poll(
        now_ns,
        [this](PortId port) {
          ++reads;
          return up[raw(port)];
        },
        [&](PortId port) { changes.push_back(raw(port)); });
    return changes;
  }

  Links links{2};
  std::vector<bool> up = {true, true};
  int reads = 0;
  std::uint64_t now_ns = kNsPerSecond;
};

TEST_F(LinksTest, AreReadEveryTenMilliseconds) {
  for (int ms = 0; ms < 100; ++ms, now_ns += kNsPerMs) EXPECT_TRUE(poll().empty());
  EXPECT_EQ(reads, 2 * 10);
  EXPECT_TRUE(links.all_up());
}

TEST_F(LinksTest, TellOfChangesOnly) {
  up[1] = false;
  EXPECT_EQ(poll(), std::vector{1}) << "down from the start";
  EXPECT_TRUE(links.up(PortId{0}));
  EXPECT_FALSE(links.up(PortId{1}));
  EXPECT_FALSE(links.all_up());
  now_ns += Links::kPollIntervalNs;
  EXPECT_TRUE(poll().empty());
  up = {false, true};
  now_ns += Links::kPollIntervalNs;
  EXPECT_EQ(poll(), (std::vector{0, 1}));
  EXPECT_FALSE(links.up(PortId{0}));
  EXPECT_TRUE(links.up(PortId{1}));
}

TEST_F(LinksTest, AreUpWhereNobodyCanSay) {
  links.poll(now_ns, {}, [](PortId) { FAIL(); });
  EXPECT_TRUE(links.all_up());
}

TEST_F(LinksTest, AreAnnouncedOnlyWhileUp) {
  up[1] = false;
  poll();
  EXPECT_TRUE(links.take_announcement(PortId{0}, now_ns));
  EXPECT_FALSE(links.take_announcement(PortId{0}, now_ns));
  EXPECT_FALSE(links.take_announcement(PortId{1}, now_ns));
  now_ns += 60 * kNsPerSecond;
  up[1] = true;
  poll();
  std::size_t announced = 0;
  for (int ms = 0; ms < 10'000; ++ms, now_ns += kNsPerMs)
    announced += links.take_announcement(PortId{1}, now_ns) ? 1 : 0;
  EXPECT_EQ(announced, Links::kAnnouncements);
}

}  // namespace
}  // namespace mcplane::control
