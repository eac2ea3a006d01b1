// The index of a pool: who is found, in what order, while workers come and go, the tree grows and cores race.
#include "state/load_index.h"

#include <gtest/gtest.h>

#include <latch>
#include <set>
#include <thread>
#include <vector>

#include "base/random.h"
#include "state/worker_table.h"

namespace mcplane::state {
namespace {

class LoadIndexTest : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  void make(std::uint32_t capacity) {
    table = std::make_unique<WorkerTable>(capacity, GetParam());
    index = std::make_unique<LoadIndex>();
  }
  void join(std::uint32_t id, std::uint32_t bound) {
    WorkerLine& line = (*table)[WorkerId{id}];
    line.bound = bound;
    line.admits = 1;
    line.session = SessionId::make(id, 7).value;
    index->place(line, WorkerId{id});
    table->refresh(WorkerId{id});
  }
  void join_many(std::uint32_t count, std::uint32_t bound) {
    make(count);
    for (std::uint32_t id = 0; id < count; ++id) join(id, bound);
  }
  // All at the level, in the order in which they are found.
  std::vector<std::uint32_t> at(std::uint32_t level, std::uint32_t from = 0) const {
    std::vector<std::uint32_t> ids;
    EXPECT_EQ(index->lowest(level) == level, index->any(level)) << level;
    if (!index->any(level)) return ids;
    const LoadIndex::Found first = index->find(level, from);
    for (LoadIndex::Found found = first;;) {
      ids.push_back(raw(found.worker));
      found = index->find(level, found.place + 1);
      if (found.place == first.place) return ids;
    }
  }
  std::size_t listed() const {
    std::size_t sum = 0;
    for (std::uint32_t level = 0; level < kLoadLevels; ++level) sum += at(level).size();
    return sum;
  }

  std::unique_ptr<WorkerTable> table;
  std::unique_ptr<LoadIndex> index;
};

TEST_P(LoadIndexTest, AWorkerIsAtTheLevelOfItsLoadAndNowhereWhenFull) {
  join_many(1, 40);
  for (std::uint32_t held = 0; held < 40; ++held) {
    EXPECT_EQ(at(level_of(held)), std::vector{0U}) << held;
    EXPECT_EQ(listed(), 1U);
    ASSERT_TRUE(table->try_acquire(WorkerId{0}));
  }
  EXPECT_EQ(listed(), 0U);
  EXPECT_FALSE(table->try_acquire(WorkerId{0}));
  for (std::uint32_t held = 40; held-- > 0;) {
    table->release(WorkerId{0});
    EXPECT_EQ(at(level_of(held)), std::vector{0U}) << held;
  }
}

TEST_P(LoadIndexTest, LevelsCoverEveryBound) {
  join_many(1, 65'535);
  std::set<std::uint32_t> levels;
  for (std::uint32_t held = 0; held < 65'535; ++held) {
    ASSERT_TRUE(table->try_acquire(WorkerId{0}));
    if (held + 1 < 65'535) {
      ASSERT_TRUE(index->any(level_of(held + 1)));
    }
    levels.insert(level_of(held));
  }
  EXPECT_EQ(levels.size(), kLoadLevels);
  EXPECT_EQ(listed(), 0U);
}

TEST_P(LoadIndexTest, WorkersAreFoundInTurnRoundTheEnd) {
  for (const std::uint32_t count : {3U, 64U, 65U, 200U, 5'000U}) {
    join_many(count, 1);
    for (const std::uint32_t from : {0U, 1U, count - 1, count}) {
      const std::vector<std::uint32_t> ids = at(0, from);
      ASSERT_EQ(ids.size(), count);
      for (std::uint32_t i = 0; i < count; ++i) ASSERT_EQ(ids[i], (from + i) % count) << count << " from " << from;
    }
  }
}

TEST_P(LoadIndexTest, NothingIsLostWhileTheTreeGrows) {
  make(5'000);
  for (std::uint32_t id = 0; id < 5'000; ++id) {
    join(id, 2);
    if (id % 3 == 0) {
      ASSERT_TRUE(table->try_acquire(WorkerId{id}));
    }
    if (id == 63 || id == 64 || id == 4'095 || id == 4'096 || id == 4'999) {
      EXPECT_EQ(at(1).size(), id / 3 + 1) << id;
      EXPECT_EQ(listed(), id + 1) << id;
    }
  }
}

TEST_P(LoadIndexTest, APlaceIsFreeForAnotherAfterItsWorkerLeft) {
  join_many(130, 1);
  for (const std::uint32_t id : {5U, 70U, 129U}) {
    WorkerLine& line = (*table)[WorkerId{id}];
    line.admits = 0;
    line.session = 0;
    table->refresh(WorkerId{id});
    index->vacate(line);
  }
  EXPECT_EQ(listed(), 127U);
  EXPECT_EQ(index->placed(), 127U);
  const std::size_t bytes = index->bytes();
  join(129, 1);
  EXPECT_EQ((*table)[WorkerId{129}].place, 5U) << "the lowest";
  EXPECT_EQ(listed(), 128U);
  EXPECT_EQ(index->bytes(), bytes);
}

TEST_P(LoadIndexTest, ABitThatOutlivedADropOfAdmitsGoesWhenItIsFollowed) {
  join_many(2, 1);
  (*table)[WorkerId{0}].admits = 0;
  EXPECT_EQ(listed(), 2U);
  EXPECT_FALSE(table->try_acquire(WorkerId{0}));
  EXPECT_EQ(at(0), std::vector{1U});
}

TEST_P(LoadIndexTest, AWorkerComesBackWhenItsBoundGrows) {
  join_many(1, 1);
  ASSERT_TRUE(table->try_acquire(WorkerId{0}));
  EXPECT_EQ(listed(), 0U);
  (*table)[WorkerId{0}].bound = 2;
  table->refresh(WorkerId{0});
  EXPECT_EQ(at(1), std::vector{0U});
}

INSTANTIATE_TEST_SUITE_P(Cores, LoadIndexTest, ::testing::Values(1U, 4U));

// Four cores acquire and release what they find while control adds workers, changes bounds and drains; afterwards
// every worker with room is found, and nobody else.
class Race {
 public:
  static constexpr std::uint32_t kCores = 4, kWorkers = 300;

  // A worker more, by the hand of the core that control asks.
  void join(std::uint32_t id, std::uint32_t bound) {
    WorkerLine& line = table[WorkerId{id}];
    line.bound = bound;
    line.admits = 1;
    line.session.store(SessionId::make(id, 7).value, std::memory_order_release);
    index.place(line, WorkerId{id});
    ask(id);
  }
  void ask(std::uint32_t id) { asked[id].store(true, std::memory_order_release); }

  void core(std::uint64_t seed, int rounds) {
    Random random(seed);
    std::vector<WorkerId> held;
    std::uint32_t rotor = static_cast<std::uint32_t>(seed * 64);
    for (int round = 0; round < rounds; ++round) {
      for (std::uint32_t id = static_cast<std::uint32_t>(round) % 8; id < kWorkers; id += 8)
        if (asked[id].load(std::memory_order_relaxed) && asked[id].exchange(false, std::memory_order_acq_rel))
          table.refresh(WorkerId{id});
      if (random.below(2) == 0 && !held.empty()) {
        std::swap(held[random.below(static_cast<std::uint32_t>(held.size()))], held.back());
        table.release(held.back());
        held.pop_back();
      } else if (const WorkerId worker = take(rotor); worker != kNoWorker) {
        held.push_back(worker);
      }
    }
    for (const WorkerId worker : held) table.release(worker);
  }

  WorkerId take(std::uint32_t& rotor) {
    for (std::uint32_t level = index.lowest(0); level < kLoadLevels; level = index.lowest(level + 1)) {
      const LoadIndex::Found found = index.find(level, rotor);
      if (found.worker == kNoWorker) continue;
      rotor = found.place + 1;
      if (table.try_acquire(found.worker)) return found.worker;
    }
    return kNoWorker;
  }

  WorkerTable table{kWorkers, kCores};
  LoadIndex index;
  std::array<std::atomic<bool>, kWorkers> asked{};  // pairs with the exchange in core(): who sees it sees the line
};

// At rest, with nobody outstanding.
void expect_all_found(Race& race) {
  std::set<std::uint32_t> with_room, found;
  for (std::uint32_t id = 0; id < Race::kWorkers; ++id) {
    const WorkerLine& line = race.table[WorkerId{id}];
    ASSERT_EQ(line.outstanding(), 0U);
    if (line.limit(line.owner()) > 0) with_room.insert(id);
  }
  for (std::uint32_t level = 0; level < kLoadLevels; ++level) ASSERT_EQ(race.index.any(level), level == 0) << level;
  ASSERT_EQ(race.index.lowest(0), 0U);
  ASSERT_EQ(race.index.lowest(1), kLoadLevels);
  std::uint32_t from = 0;
  for (std::size_t i = 0; i < with_room.size(); ++i) {
    const LoadIndex::Found next = race.index.find(0, from);
    found.insert(raw(next.worker));
    from = next.place + 1;
  }
  EXPECT_EQ(found, with_room);
  EXPECT_EQ(race.index.find(0, from).place, race.index.find(0, 0).place) << "nobody else is";
}

TEST(LoadIndexThreads, EveryWorkerWithRoomIsFoundAtRest) {
  for (std::uint64_t trial = 1; trial <= 3; ++trial) {
    Race race;
    race.join(0, 1);
    race.table.refresh(WorkerId{0});
    std::latch ready(Race::kCores + 1);
    std::vector<std::thread> cores;
    for (std::uint64_t i = 0; i < Race::kCores; ++i)
      cores.emplace_back([&, i] {
        ready.arrive_and_wait();
        race.core(trial * 10 + i, 30'000);
      });
    ready.arrive_and_wait();
    Random random(trial);
    for (std::uint32_t id = 1; id < Race::kWorkers; ++id) {
      race.join(id, 1 + random.below(20));
      const std::uint32_t changed = random.below(id);
      race.table[WorkerId{changed}].bound = 1 + random.below(20);
      race.table[WorkerId{changed}].admits = random.below(4) == 0 ? 0 : 1;
      race.ask(changed);
      if (id % 4 == 0) std::this_thread::yield();
    }
    for (auto& thread : cores) thread.join();
    race.core(trial, 8);  // what was asked last
    expect_all_found(race);
  }
}

// Four cores want the same few workers, one of them alone in its leaf, so that words fill and empty all the time.
TEST(LoadIndexThreads, WordsThatFillAndEmptyAllTheTimeEndRight) {
  for (int trial = 0; trial < 40; ++trial) {
    Race race;
    for (std::uint32_t id = 0; id < 65; ++id) race.join(id, id < 62 ? 0 : 1);
    for (std::uint32_t id = 0; id < 65; ++id) race.table.refresh(WorkerId{id});
    std::latch ready(Race::kCores);
    std::vector<std::thread> cores;
    for (std::uint32_t i = 0; i < Race::kCores; ++i)
      cores.emplace_back([&, i] {
        ready.arrive_and_wait();
        std::uint32_t rotor = 62 + i;
        for (int round = 0; round < 10'000; ++round)
          if (const WorkerId worker = race.take(rotor); worker != kNoWorker) race.table.release(worker);
      });
    for (auto& thread : cores) thread.join();
    expect_all_found(race);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace mcplane::state
