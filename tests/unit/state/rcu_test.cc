// Publication and reclamation: alone, and with a reader on another thread (for TSan).
#include "state/rcu.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace mcplane::state {
namespace {

// Its two halves agree as long as it lives.
struct Pair {
  Pair(std::uint64_t value, std::atomic<int>& living) : first(value), second(~value), alive(living) { ++alive; }
  ~Pair() {
    first = second = 0;
    --alive;
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  bool sound() const { return first == ~second; }

  std::uint64_t first, second;
  std::atomic<int>& alive;
};

class RcuTest : public ::testing::Test {
 protected:
  std::unique_ptr<const Pair> make(std::uint64_t value) { return std::make_unique<const Pair>(value, living); }
  std::atomic<int> living{0};
};

TEST_F(RcuTest, ReadersSeeTheLatest) {
  Rcu<Pair> rcu(1, make(1));
  EXPECT_EQ(rcu.read()->first, 1U);
  rcu.publish(make(2));
  EXPECT_EQ(rcu.read()->first, 2U);
}

TEST_F(RcuTest, OldOnesLiveUntilEveryReaderLetGo) {
  Rcu<Pair> rcu(2, make(1));
  const Pair* held = rcu.read();
  rcu.publish(make(2));
  EXPECT_EQ(rcu.reclaim(), 1U);
  EXPECT_TRUE(held->sound());
  rcu.quiescent(0);
  EXPECT_EQ(rcu.reclaim(), 1U);
  rcu.quiescent(1);
  EXPECT_EQ(rcu.reclaim(), 0U);
  EXPECT_EQ(living, 1);
  EXPECT_EQ(rcu.read()->first, 2U);
}

TEST_F(RcuTest, OnlyWhatIsOlderThanAReadersLastStopIsFreed) {
  Rcu<Pair> rcu(2, make(1));
  rcu.publish(make(2));
  rcu.quiescent(0);
  rcu.quiescent(1);
  rcu.publish(make(3));  // frees 1, keeps 2
  EXPECT_EQ(living, 2);
  rcu.publish(make(4));
  rcu.quiescent(0);
  EXPECT_EQ(rcu.reclaim(), 2U);
  rcu.quiescent(1);
  EXPECT_EQ(rcu.reclaim(), 0U);
  EXPECT_EQ(living, 1);
}

TEST_F(RcuTest, EndFreesWhatReadersNeverLetGo) {
  {
    Rcu<Pair> rcu(1, make(1));
    rcu.publish(make(2));
    rcu.publish(make(3));
    EXPECT_EQ(living, 3);
  }
  EXPECT_EQ(living, 0);
}

TEST_F(RcuTest, ReaderOnAnotherThreadNeverSeesAFreedOne) {
  constexpr std::uint64_t kLast = 2'000;
  Rcu<Pair> rcu(2, make(0));
  const auto core = [&](std::size_t reader, bool& sound) {
    std::uint64_t newest = 0;
    while (newest < kLast) {
      const Pair* pair = rcu.read();
      sound = sound && pair->sound() && pair->first >= newest;
      newest = pair->first;
      rcu.quiescent(reader);
      std::this_thread::yield();  // cores may be fewer than threads
    }
  };
  bool first_sound = true, second_sound = true;
  std::thread first(core, 0, std::ref(first_sound)), second(core, 1, std::ref(second_sound));
  int most = 0;
  for (std::uint64_t value = 1; value <= kLast; ++value) {
    rcu.publish(make(value));
    while (rcu.reclaim() > 8) std::this_thread::yield();
    most = std::max(most, living.load());
  }
  first.join();
  second.join();
  EXPECT_TRUE(first_sound);
  EXPECT_TRUE(second_sound);
  EXPECT_LE(most, 10);
  // A reader that stopped between the last swap and its epoch has not said that it let go of the one before.
  rcu.quiescent(0);
  rcu.quiescent(1);
  EXPECT_EQ(rcu.reclaim(), 0U);
  EXPECT_EQ(living, 1);
}

}  // namespace
}  // namespace mcplane::state
