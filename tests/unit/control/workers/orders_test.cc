// Orders made in advance: a weighted round without clumps, a hash table that few members' coming and going disturbs.
#include "control/workers/orders.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace mcplane::control {
namespace {

std::vector<OrderMember> members(std::size_t count, std::uint32_t weight = 1) {
  std::vector<OrderMember> made;
  for (std::uint32_t i = 0; i < count; ++i) made.push_back({WorkerId{i}, weight, mix64(i + 1)});
  return made;
}

template <class Builder>
state::WorkerOrder build(Builder builder, std::size_t steps = 100) {
  for (int calls = 0; !builder.step(steps); ++calls)
    if (calls > 10'000'000) throw std::runtime_error("never complete");
  return builder.take();
}

std::map<WorkerId, std::size_t> share(const state::WorkerOrder& order) {
  std::map<WorkerId, std::size_t> counts;
  for (const WorkerId worker : order) ++counts[worker];
  return counts;
}

TEST(TurnBuilder, IsTheShortestRoundOfItsWeights) {
  std::vector<OrderMember> three = members(3);
  three[0].weight = 50;
  three[1].weight = 10;
  three[2].weight = 10;
  const state::WorkerOrder order = build(TurnBuilder(three), 1);
  ASSERT_EQ(order.size(), 7U);
  EXPECT_EQ(share(order)[WorkerId{0}], 5U);
  EXPECT_EQ(share(order)[WorkerId{1}], 1U);
}

// In every stretch of a round, a worker's turns differ from its share by less than two.
TEST(TurnBuilder, NoStretchIsUnfair) {
  Random random(11);
  std::vector<OrderMember> some = members(20);
  std::uint64_t sum = 0;
  for (OrderMember& member : some) sum += member.weight = 1 + random.below(30);
  const state::WorkerOrder order = build(TurnBuilder(some));
  std::vector<double> turns(some.size());
  for (std::size_t at = 0; at < order.size(); ++at) {
    turns[raw(order[at])] += 1;
    for (std::size_t i = 0; i < some.size(); ++i) {
      const double due = static_cast<double>(at + 1) * some[i].weight / static_cast<double>(sum);
      EXPECT_LT(std::abs(turns[i] - due), 2) << "worker " << i << " at " << at;
    }
  }
}

TEST(TurnBuilder, ManyHeavyWorkersGetARoundOfBoundedLength) {
  std::vector<OrderMember> many = members(64'000, 997);
  many[0].weight = 1'000;
  const state::WorkerOrder order = build(TurnBuilder(many), 4'096);
  EXPECT_LE(order.size(), 2 * TurnBuilder::kLengthMax);
  EXPECT_EQ(share(order).size(), many.size()) << "each has a turn";
}

TEST(MaglevBuilder, EntriesAreEven) {
  const state::WorkerOrder table = build(MaglevBuilder(members(16)));
  ASSERT_EQ(table.size(), 4'093U);
  for (const auto& [worker, count] : share(table))
    EXPECT_NEAR(static_cast<double>(count), 4'093 / 16.0, 1) << raw(worker);
}

TEST(MaglevBuilder, EntriesFollowWeights) {
  std::vector<OrderMember> two = members(2);
  two[0].weight = 3;
  const auto counts = share(build(MaglevBuilder(two)));
  EXPECT_NEAR(static_cast<double>(counts.at(WorkerId{0})), 251 * 0.75, 2);
}

TEST(MaglevBuilder, DependsOnKeysNotOnWhoCameFirst) {
  const std::vector<OrderMember> forth = members(10);
  const std::vector<OrderMember> back(forth.rbegin(), forth.rend());
  EXPECT_EQ(build(MaglevBuilder(forth)), build(MaglevBuilder(back), 7));
}

// One of a hundred leaves: its own entries change hands, and few others.
TEST(MaglevBuilder, FewEntriesChangeWhenOneLeaves) {
  std::vector<OrderMember> all = members(100);
  const state::WorkerOrder before = build(MaglevBuilder(all));
  all.erase(all.begin() + 42);
  const state::WorkerOrder after = build(MaglevBuilder(all));
  ASSERT_EQ(before.size(), after.size());
  std::size_t its_own = 0, others = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == WorkerId{42})
      ++its_own;
    else if (before[i] != after[i])
      ++others;
  }
  EXPECT_GT(its_own, 0U);
  EXPECT_LT(others, before.size() / 20);
}

TEST(MaglevBuilder, SixtyFourThousandFitAMillionEntries) {
  EXPECT_EQ(MaglevBuilder::entries_for(64'000), 1'048'573U);
  EXPECT_EQ(MaglevBuilder::entries_for(1), 251U);
  EXPECT_EQ(share(build(MaglevBuilder(members(64'000)), 65'536)).size(), 64'000U);
}

}  // namespace
}  // namespace mcplane::control
