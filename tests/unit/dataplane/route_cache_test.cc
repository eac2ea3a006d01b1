// The route cache alone: which entry a selector gets, what is evicted for it, and when pools are resolved again.
#include "dataplane/route_cache.h"

#include <gtest/gtest.h>

#include <tuple>

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>

namespace mcplane::dataplane {
namespace {

wire::RouteView selector(std::string_view action, std::string_view model = {},
                         std::initializer_list<std::string_view> tags = {}) {
  wire::RouteView view;
  view.action = action;
  view.model = model;
  for (const auto tag : tags) view.tags[view.tag_count++] = tag;
  return view;
}

class RouteCacheTest : public ::testing::Test {
 protected:
  // Each pool: actions, models, tags of one name or none.
  static state::RouteSnapshot snapshot_of(std::uint64_t generation,
                                          std::initializer_list<std::array<std::string_view, 3>> pools) {
    state::RouteSnapshot snapshot;
    snapshot.generation = generation;
    for (const auto& [action, model, tag] : pools) {
      state::Pool pool;
      pool.actions = {snapshot.intern(action)};
      if (!model.empty()) pool.models = {snapshot.intern(model)};
      if (!tag.empty()) pool.tags = {snapshot.intern(tag)};
      snapshot.add_pool(std::move(pool));
    }
    return snapshot;
  }

  const SipKey key{1, 2};
  const state::RouteSnapshot empty = {};
};

TEST_F(RouteCacheTest, ShadowTasksHaveEntriesOfTheirOwn) {
  state::RouteSnapshot snapshot = snapshot_of(1, {{"gen", "", ""}});
  snapshot.add_pool({.actions = {snapshot.intern("gen")}, .models = {}, .tags = {}, .load = {}, .shadow = true});
  snapshot.client_limit = {.concurrency = 1};
  RouteCache cache(16, key);
  const std::vector<std::byte> table = wire::write_route_table("gen", "", {}, "");
  RouteEntry* const own = cache.find(selector("gen"), snapshot);
  RouteEntry* const shadow = cache.find(selector("gen"), snapshot, true);
  ASSERT_NE(own, shadow);
  EXPECT_EQ(own->own.pools[0], 0U);
  EXPECT_EQ(shadow->own.pools[0], 1U);
  EXPECT_TRUE(own->limited && own->checked);
  EXPECT_TRUE(!shadow->limited && shadow->checked);
  cache.remember(table, *own);
  std::uint8_t hint = 0;
  EXPECT_EQ(cache.recall(table, snapshot, hint, true), nullptr) << "remembered as production's";
  cache.remember(table, *shadow);
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(cache.recall(table, snapshot, hint), own);
    EXPECT_EQ(cache.recall(table, snapshot, hint, true), shadow);
  }
}

TEST_F(RouteCacheTest, TablesOfEveryLengthAreRecalledOrLookedUpAnew) {
  const state::RouteSnapshot snapshot = snapshot_of(1, {{"gen", "", ""}});
  RouteCache cache(16, key);
  RouteEntry* const entry = cache.find(selector("gen"), snapshot);
  for (std::size_t length = 0; length <= 160; length += 4) {
    std::vector<std::byte> table(length, std::byte{7});
    std::uint8_t hint = 0;
    EXPECT_EQ(cache.recall(table, snapshot, hint), nullptr) << length << " bytes, never seen";
    cache.remember(table, *entry);
    const bool kept = length >= 16 && length <= 120;
    EXPECT_EQ(cache.recall(table, snapshot, hint), kept ? entry : nullptr) << length << " bytes";
    for (std::byte& byte : table) {
      byte = std::byte{8};
      EXPECT_EQ(cache.recall(table, snapshot, hint), nullptr) << length << " bytes, one of them another";
      byte = std::byte{7};
    }
  }
}

TEST_F(RouteCacheTest, TheBoardSaysWhoWaitsForWhichPool) {
  const auto two_pools = [](std::uint64_t generation) {
    state::RouteSnapshot snapshot;
    snapshot.generation = generation;
    for (const auto& [action, first, shadow] :
         {std::tuple{"gen", 7U, false}, std::tuple{"gen", 7U, true}, std::tuple{"embed", 9U, false}})
      snapshot.add_pool({.actions = {snapshot.intern(action)},
                         .models = {},
                         .tags = {},
                         .load = {},
                         .shadow = shadow,
                         .key = first + generation});
    return snapshot;
  };
  const state::WaitingBoard board(16);
  RouteCache cache(16, key, &board);
  const auto waiting = [&board](std::uint64_t pool) {
    std::uint32_t sum = 0;
    for (const state::WaitingAt& place : board)
      if (place.pool == pool) sum += place.tasks;
    return sum;
  };
  const auto join = [&cache](RouteEntry& entry) {
    ++entry.lines.frames;
    cache.add_waiting(entry);
  };
  const auto leave = [&cache](RouteEntry& entry) {
    --entry.lines.frames;
    cache.remove_waiting(entry);
  };
  const state::RouteSnapshot before = two_pools(1), after = two_pools(2);
  RouteEntry& gen = *cache.find(selector("gen"), before);
  RouteEntry& embed = *cache.find(selector("embed"), before);
  RouteEntry& shadow = *cache.find(selector("gen"), before, true);
  for (RouteEntry* const entry : {&gen, &gen, &gen, &embed, &shadow}) join(*entry);
  leave(gen);
  EXPECT_EQ(waiting(8), 2U);
  EXPECT_EQ(waiting(10), 1U);
  EXPECT_EQ(waiting(0), 1U) << "of shadow tasks nothing is said";
  cache.refresh(gen, after);
  EXPECT_EQ(waiting(8), 0U);
  EXPECT_EQ(waiting(9), 2U) << "its pool is another now";
  for (RouteEntry* const entry : {&gen, &gen, &embed, &shadow}) leave(*entry);
  for (const state::WaitingAt& place : board) EXPECT_EQ(place.tasks, 0U);
}

TEST_F(RouteCacheTest, ASelectorKeepsItsEntry) {
  RouteCache cache(16, key);
  RouteEntry* const a = cache.find(selector("a", "m", {"t", "u"}), empty);
  RouteEntry* const b = cache.find(selector("b"), empty);
  ASSERT_TRUE(a != nullptr && b != nullptr);
  EXPECT_NE(a, b);
  EXPECT_EQ(cache.find(selector("a", "m", {"t", "u"}), empty), a);
  EXPECT_EQ(cache.find(selector("b"), empty), b);
}

TEST_F(RouteCacheTest, SelectorsThatReadAlikeWhenJoinedDiffer) {
  RouteCache cache(64, key);
  std::set<RouteEntry*> entries;
  entries.insert(cache.find(selector("ab", "c"), empty));
  entries.insert(cache.find(selector("a", "bc"), empty));
  entries.insert(cache.find(selector("abc"), empty));
  entries.insert(cache.find(selector("a", "", {"bc"}), empty));
  entries.insert(cache.find(selector("a", "", {"b", "c"}), empty));
  entries.insert(cache.find(selector("a", "b", {"c"}), empty));
  EXPECT_EQ(entries.size(), 6U);
  EXPECT_EQ(entries.count(nullptr), 0U);
}

TEST_F(RouteCacheTest, ResolvesByActionModelAndTags) {
  const auto snapshot = snapshot_of(3, {{"gen", "m1", "gpu"}, {"gen", "m2", ""}, {"draw", "m1", "gpu"}});
  RouteCache cache(64, key);
  const auto pools = [&](const wire::RouteView& view) {
    const RouteEntry* entry = cache.find(view, snapshot);
    return std::vector<std::uint32_t>(entry->own.pools.begin(), entry->own.pools.begin() + entry->own.count);
  };
  EXPECT_EQ(pools(selector("gen")), (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(pools(selector("gen", "m2")), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(pools(selector("gen", "", {"gpu"})), (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(pools(selector("gen", "m2", {"gpu"})), (std::vector<std::uint32_t>{}));
  EXPECT_EQ(pools(selector("draw", "m1", {"gpu"})), (std::vector<std::uint32_t>{2}));
  EXPECT_EQ(pools(selector("fly")), (std::vector<std::uint32_t>{}));
}

TEST_F(RouteCacheTest, ANewSnapshotIsResolvedAnew) {
  const auto before = snapshot_of(1, {{"gen", "m", "t"}});
  const auto after = snapshot_of(2, {{"other", "", ""}, {"gen", "m", "t"}, {"gen", "m", "t"}});
  RouteCache cache(16, key);
  RouteEntry* const entry = cache.find(selector("gen", "m", {"t"}), before);
  EXPECT_EQ(entry->own.count, 1U);
  EXPECT_EQ(entry->own.pools[0], 0U);
  cache.refresh(*entry, after);
  EXPECT_EQ(entry->own.count, 2U);
  EXPECT_EQ(entry->own.pools[0], 1U);
  EXPECT_EQ(entry->own.pools[1], 2U);
}

TEST_F(RouteCacheTest, AFullSetEvictsTheLongestUnused) {
  RouteCache cache(4, key);  // one set
  RouteEntry* const a = cache.find(selector("a"), empty);
  RouteEntry* const b = cache.find(selector("b"), empty);
  for (const char* name : {"c", "d"}) cache.find(selector(name), empty);
  EXPECT_EQ(cache.find(selector("a"), empty), a);
  EXPECT_EQ(cache.find(selector("e"), empty), b);
  EXPECT_EQ(cache.find(selector("a"), empty), a);
  EXPECT_NE(cache.find(selector("b"), empty), b) << "b was evicted, and took the place of c";
}

void join(RouteCache& cache, RouteEntry& entry) {
  ++entry.lines.frames;
  cache.add_waiting(entry);
}

void leave(RouteCache& cache, RouteEntry& entry) {
  --entry.lines.frames;
  cache.remove_waiting(entry);
}

TEST_F(RouteCacheTest, AnEntryWithWaitingTasksIsNeverEvicted) {
  RouteCache cache(4, key);
  RouteEntry* const a = cache.find(selector("a"), empty);
  join(cache, *a);
  for (int i = 0; i < 100; ++i) ASSERT_NE(cache.find(selector(std::to_string(i)), empty), a);
  EXPECT_EQ(cache.find(selector("a"), empty), a);
  leave(cache, *a);
  std::set<RouteEntry*> places;
  for (int i = 0; i < 4; ++i) places.insert(cache.find(selector(std::to_string(1'000 + i)), empty));
  EXPECT_EQ(places.count(a), 1U);
}

TEST_F(RouteCacheTest, ASetOfWaitingEntriesTakesNoMore) {
  RouteCache cache(4, key);
  std::vector<RouteEntry*> entries;
  for (const char* name : {"a", "b", "c", "d"}) {
    entries.push_back(cache.find(selector(name), empty));
    join(cache, *entries.back());
  }
  EXPECT_EQ(cache.find(selector("e"), empty), nullptr);
  EXPECT_EQ(cache.find(selector("d"), empty), entries[3]) << "those there are still found";
  leave(cache, *entries[1]);
  EXPECT_EQ(cache.find(selector("e"), empty), entries[1]);
}

TEST_F(RouteCacheTest, TheWaitingListHoldsEachEntryOnce) {
  RouteCache cache(64, key);
  std::vector<RouteEntry*> entries;
  for (int i = 0; i < 10; ++i) entries.push_back(cache.find(selector(std::to_string(i)), empty));
  for (int round = 0; round < 3; ++round)
    for (RouteEntry* entry : entries) join(cache, *entry);
  EXPECT_EQ(cache.waiting().size(), 10U);
  for (int round = 0; round < 3; ++round)
    for (std::size_t i = 0; i < 10; i += 3) leave(cache, *entries[i]);
  std::set<std::uint16_t> listed(cache.waiting().begin(), cache.waiting().end());
  std::set<std::uint16_t> expected;
  for (std::size_t i = 0; i < 10; ++i)
    if (i % 3 != 0) expected.insert(cache.index_of(*entries[i]));
  EXPECT_EQ(listed, expected);
  EXPECT_EQ(cache.waiting().size(), expected.size());
}

}  // namespace
}  // namespace mcplane::dataplane
