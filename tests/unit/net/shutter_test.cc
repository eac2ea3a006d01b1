// Who looks through a shutter sees nothing half changed, and who shuts it changes nothing that is looked at. Its
// threads are what the TSan build is for.
#include "net/shutter.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

namespace mcplane::net {
namespace {

TEST(Shutter, IsShutAtFirst) {
  Shutter shutter(2);
  EXPECT_FALSE(shutter.enter(0));
  shutter.shut();  // and nobody is left inside
  shutter.open();
  EXPECT_TRUE(shutter.enter(0));
  EXPECT_TRUE(shutter.enter(1));
  shutter.leave(0);
  shutter.leave(1);
  shutter.shut();
  EXPECT_FALSE(shutter.enter(1));
}

TEST(Shutter, NobodyLooksWhileItIsShut) {
  constexpr std::uint32_t kLookers = 2, kChanges = 2'000;
  Shutter shutter(kLookers);
  std::array<std::uint32_t, 16> words{};  // the same in all, but while they are changed
  std::atomic<bool> over{false};
  std::atomic<std::uint32_t> looks{0}, torn{0};
  std::latch ready(kLookers + 1);
  std::vector<std::thread> lookers;
  for (std::uint32_t looker = 0; looker < kLookers; ++looker)
    lookers.emplace_back([&, looker] {
      ready.arrive_and_wait();
      while (!over.load()) {
        if (!shutter.enter(looker)) continue;
        for (const std::uint32_t word : words) torn += word != words.front() ? 1 : 0;
        looks += 1;
        shutter.leave(looker);
      }
    });
  ready.arrive_and_wait();
  for (std::uint32_t change = 1; change <= kChanges || looks.load() < kLookers; ++change) {
    shutter.shut();
    for (std::uint32_t& word : words) word = change;
    shutter.open();
    std::this_thread::yield();
  }
  over = true;
  for (std::thread& looker : lookers) looker.join();
  EXPECT_EQ(torn.load(), 0U);
}

}  // namespace
}  // namespace mcplane::net
