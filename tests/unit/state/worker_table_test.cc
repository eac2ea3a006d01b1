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

class WorkerTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    line.bound = 2;
    line.admits = 1;
    line.session = kOwner.value;
  }
  WorkerTable table{4};
  WorkerLine& line = table[WorkerId{1}];
};

TEST_F(WorkerTableTest, NoAcquireAtTheBound) {
  EXPECT_TRUE(line.try_acquire(kOwner));
  EXPECT_TRUE(line.try_acquire(kOwner));
  EXPECT_FALSE(line.try_acquire(kOwner));
  line.release();
  EXPECT_TRUE(line.try_acquire(kOwner));
  EXPECT_EQ(line.outstanding, 2U);
}

TEST_F(WorkerTableTest, NoAcquireForAnotherSession) {
  EXPECT_FALSE(line.try_acquire(SessionId::make(3, 8)));
  EXPECT_FALSE(table[WorkerId{0}].try_acquire(kOwner));
  EXPECT_EQ(line.outstanding, 0U);
}

TEST_F(WorkerTableTest, NoAcquireWhileDraining) {
  line.admits = 0;
  EXPECT_FALSE(line.try_acquire(kOwner));
}

TEST_F(WorkerTableTest, BoundMayShrinkBelowWhatIsHeld) {
  ASSERT_TRUE(line.try_acquire(kOwner));
  ASSERT_TRUE(line.try_acquire(kOwner));
  line.bound = 1;
  line.release();
  EXPECT_FALSE(line.try_acquire(kOwner));
  line.release();
  EXPECT_TRUE(line.try_acquire(kOwner));
}

TEST(WorkerTableThreads, BoundHoldsOverFourCores) {
  constexpr std::uint32_t kBound = 3;
  constexpr int kAcquiresEach = 20'000;
  WorkerTable table(1);
  WorkerLine& line = table[WorkerId{0}];
  line.bound = kBound;
  line.admits = 1;
  line.session = kOwner.value;
  std::atomic<std::uint32_t> holders{0}, most{0};
  std::latch ready(4);
  const auto core = [&] {
    ready.arrive_and_wait();
    for (int acquired = 0; acquired < kAcquiresEach;) {
      if (!line.try_acquire(kOwner)) {
        std::this_thread::yield();
        continue;
      }
      ++acquired;
      const std::uint32_t held = holders.fetch_add(1) + 1;
      std::uint32_t seen = most.load();
      while (held > seen && !most.compare_exchange_weak(seen, held)) {
      }
      holders.fetch_sub(1);
      line.release();
    }
  };
  std::vector<std::thread> cores;
  for (int i = 0; i < 4; ++i) cores.emplace_back(core);
  for (auto& thread : cores) thread.join();
  EXPECT_GE(most.load(), 1U);
  EXPECT_LE(most.load(), kBound);
  EXPECT_EQ(line.outstanding.load(), 0U);
}

}  // namespace
}  // namespace mcplane::state
