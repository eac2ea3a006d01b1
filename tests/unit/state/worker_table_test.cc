// A worker's line: who may take a slot, and that the bound holds over cores.
#include "state/worker_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

namespace mcplane::state {
namespace {

constexpr SessionId kOwner = SessionId::make(3, 7);

// Alone, a core changes lines without locked instructions.
class WorkerTableTest : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    line.bound = 2;
    line.admits = 1;
    line.session = kOwner.value;
  }
  SessionId acquire() { return table.try_acquire(WorkerId{1}); }
  void release() { table.release(WorkerId{1}); }

  WorkerTable table{4, GetParam()};
  WorkerLine& line = table[WorkerId{1}];
};

TEST_P(WorkerTableTest, NoAcquireAtTheBound) {
  EXPECT_EQ(acquire(), kOwner);
  EXPECT_EQ(acquire(), kOwner);
  EXPECT_FALSE(acquire());
  release();
  EXPECT_EQ(acquire(), kOwner);
  EXPECT_EQ(line.outstanding(), 2U);
}

TEST_P(WorkerTableTest, NoAcquireOfALineThatIsNobodys) {
  line.session = 0;
  EXPECT_FALSE(acquire());
  EXPECT_FALSE(table.try_acquire(WorkerId{0}));
  EXPECT_EQ(line.outstanding(), 0U);
}

TEST_P(WorkerTableTest, NoAcquireWhileDraining) {
  line.admits = 0;
  EXPECT_FALSE(acquire());
}

TEST_P(WorkerTableTest, BoundMayShrinkBelowWhatIsHeld) {
  ASSERT_TRUE(acquire());
  ASSERT_TRUE(acquire());
  line.bound = 1;
  release();
  EXPECT_FALSE(acquire());
  release();
  EXPECT_TRUE(acquire());
}

TEST_P(WorkerTableTest, TheNextRoundShutsTheGateAtOnce) {
  std::uint16_t round = kNoRound;
  ASSERT_EQ(table.try_acquire(WorkerId{1}, round), kOwner);
  EXPECT_EQ(round, 0U);
  EXPECT_TRUE(line.in_round(round));
  line.admits = 2;
  EXPECT_FALSE(acquire());
  EXPECT_FALSE(line.in_round(round));
  table.set_gate(WorkerId{1}, {.round = 1});
  EXPECT_EQ(table.try_acquire(WorkerId{1}, round), kOwner);
  EXPECT_EQ(round, 1U);
}

TEST_P(WorkerTableTest, AGateOfARoundThatIsOverLetsNobodyIn) {
  line.admits = 3;
  table.set_gate(WorkerId{1}, {.round = 1, .metered = true, .permits = 2});
  EXPECT_FALSE(acquire());
  table.set_gate(WorkerId{1}, {.round = 2, .metered = true, .permits = 1});
  EXPECT_TRUE(acquire());
}

TEST_P(WorkerTableTest, HalfOpenEachTaskTakesAPermit) {
  line.bound = 10;
  line.admits = 2;
  table.set_gate(WorkerId{1}, {.round = 1, .metered = true, .permits = 2});
  EXPECT_TRUE(acquire());
  EXPECT_TRUE(acquire());
  EXPECT_FALSE(acquire());
  release();
  EXPECT_FALSE(acquire()) << "the slot is back, the permit is not";
  EXPECT_EQ(line.outstanding(), 1U);
}

TEST_P(WorkerTableTest, APermitComesBackWithATaskThatSaysNothing) {
  line.bound = 10;
  ASSERT_TRUE(acquire());  // in the round before
  line.admits = 2;
  table.set_gate(WorkerId{1}, {.round = 1, .metered = true, .permits = 1});
  ASSERT_TRUE(acquire());
  table.release(WorkerId{1}, 0);
  EXPECT_FALSE(acquire()) << "a task of another round had no permit";
  table.release(WorkerId{1}, 1);
  EXPECT_TRUE(acquire());
}

TEST_P(WorkerTableTest, PermitsDoNotRaiseTheBound) {
  line.admits = 2;
  table.set_gate(WorkerId{1}, {.round = 1, .metered = true, .permits = Gate::kPermitsMax});
  EXPECT_TRUE(acquire());
  EXPECT_TRUE(acquire());
  EXPECT_FALSE(acquire());
  table.release(WorkerId{1}, 1);
  EXPECT_TRUE(acquire());
}

INSTANTIATE_TEST_SUITE_P(Cores, WorkerTableTest, ::testing::Values(1U, 4U));

TEST(WorkerTableThreads, BoundHoldsOverFourCores) {
  constexpr std::uint32_t kBound = 3;
  constexpr int kAcquiresEach = 20'000;
  WorkerTable table(1, 4);
  WorkerLine& line = table[WorkerId{0}];
  line.bound = kBound;
  line.admits = 1;
  line.session = kOwner.value;
  std::atomic<std::uint32_t> holders{0}, most{0};
  std::latch ready(4);
  const auto core = [&] {
    ready.arrive_and_wait();
    for (int acquired = 0; acquired < kAcquiresEach;) {
      if (!table.try_acquire(WorkerId{0})) {
        std::this_thread::yield();
        continue;
      }
      ++acquired;
      const std::uint32_t held = holders.fetch_add(1) + 1;
      std::uint32_t seen = most.load();
      while (held > seen && !most.compare_exchange_weak(seen, held)) {
      }
      holders.fetch_sub(1);
      table.release(WorkerId{0});
    }
  };
  std::vector<std::thread> cores;
  for (int i = 0; i < 4; ++i) cores.emplace_back(core);
  for (auto& thread : cores) thread.join();
  EXPECT_GE(most.load(), 1U);
  EXPECT_LE(most.load(), kBound);
  EXPECT_EQ(line.outstanding(), 0U);
}

}  // namespace
}  // namespace mcplane::state
