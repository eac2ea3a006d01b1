// What pools make of routes' policies: rules and orders in snapshots, made again as workers come and go.
#include "control/workers/pools.h"

#include <gtest/gtest.h>

namespace mcplane::control {
namespace {

using state::Policy;

class PoolsTest : public ::testing::Test {
 protected:
  Pool& join(std::uint32_t number, std::uint16_t weight = 1, std::vector<std::string> actions = {"generate"}) {
    wire::HelloBody hello;
    hello.weight = weight;
    hello.actions = std::move(actions);
    const wire::Endpoint peer{wire::IpAddress::v4({10, 0, 0, 2}), static_cast<std::uint16_t>(5'000 + number)};
    state::WorkerLine& line = table_[WorkerId{number}];
    line.bound.store(4);
    line.admits.store(1);
    line.session.store(number + 1);
    return pools_.join(hello, peer, line, WorkerId{number});
  }
  // What is published once nothing is left to be made.
  std::unique_ptr<const state::RouteSnapshot> settled() {
    for (int i = 0; i < 1'000; ++i) pools_.make_orders(1'000);
    return pools_.snapshot(++generation_);
  }
  static RouteSettings route(std::string action, Policy policy) {
    RouteSettings made;
    made.action = std::move(action);
    made.policy = policy;
    return made;
  }

  state::WorkerTable table_{16, 1};
  Pools pools_;
  std::uint64_t generation_ = 0;
};

TEST_F(PoolsTest, TheFirstRuleThatMatchesHolds) {
  std::vector<RouteSettings> routes = {route("generate", Policy::kSession), route("*", Policy::kRoundRobin)};
  routes[0].model = "llama";
  routes[0].imbalance = 2;
  pools_.set_routes(routes);
  EXPECT_TRUE(pools_.changed());
  const auto snapshot = settled();
  EXPECT_EQ(snapshot->rule_of("generate", "llama").policy, Policy::kSession);
  EXPECT_EQ(snapshot->rule_of("generate", "llama").imbalance, 2);
  EXPECT_EQ(snapshot->rule_of("generate", "").policy, Policy::kRoundRobin);
  EXPECT_EQ(snapshot->rule_of("embed", "").policy, Policy::kRoundRobin);
}

TEST_F(PoolsTest, WithoutRulesTheDefaultHolds) {
  EXPECT_EQ(settled()->rule_of("generate", "").policy, Policy::kLeastOutstanding);
}

TEST_F(PoolsTest, OrdersAreMadeForPoliciesThatNeedThem) {
  join(0, 3);
  join(1, 1);
  EXPECT_EQ(settled()->pool(0).turns, nullptr);
  pools_.set_routes(std::vector{route("*", Policy::kWeighted)});
  EXPECT_EQ(pools_.snapshot(++generation_)->pool(0).turns, nullptr) << "not made yet";
  const auto weighted = settled();
  ASSERT_NE(weighted->pool(0).turns, nullptr);
  EXPECT_EQ(weighted->pool(0).turns->size(), 4U);
  EXPECT_EQ(weighted->pool(0).weight, 4U);
  EXPECT_EQ(weighted->pool(0).hashed, nullptr);
  pools_.set_routes(std::vector{route("*", Policy::kPrefix), route("embed", Policy::kWeighted)});
  const auto both = settled();
  EXPECT_NE(both->pool(0).turns, nullptr);
  ASSERT_NE(both->pool(0).hashed, nullptr);
  EXPECT_EQ(both->pool(0).hashed->size(), 251U);
}

TEST_F(PoolsTest, OrdersFollowWhoIsThere) {
  pools_.set_routes(std::vector{route("*", Policy::kWeighted)});
  Pool& pool = join(0);
  EXPECT_EQ(settled()->pool(0).turns->size(), 1U);
  join(1);
  EXPECT_FALSE(pools_.changed()) << "until the order is complete";
  pools_.make_orders(1'000);
  EXPECT_TRUE(pools_.changed());
  EXPECT_EQ(settled()->pool(0).turns->size(), 2U);
  pools_.retire(pool, WorkerId{0});
  EXPECT_EQ(*settled()->pool(0).turns, state::WorkerOrder{WorkerId{1}});
}

// A pool may go while its order is being made, or waits to be.
TEST_F(PoolsTest, APoolThatGoesLeavesNoOrderBehind) {
  pools_.set_routes(std::vector{route("*", Policy::kSession)});
  Pool& going = join(0);
  Pool& waiting = join(1, 1, {"embed"});
  pools_.make_orders(1);
  for (auto [pool, worker] : {std::pair{&going, WorkerId{0}}, std::pair{&waiting, WorkerId{1}}}) {
    pools_.retire(*pool, worker);
    pools_.leave(*pool, table_[worker]);
  }
  EXPECT_TRUE(settled()->pools().empty());
}

TEST_F(PoolsTest, LoadIsCountedOnceARound) {
  Pool& pool = join(0);
  join(1);
  table_.refresh(WorkerId{0});
  ASSERT_TRUE(table_.try_acquire(WorkerId{0}));
  pools_.count(pool, table_[WorkerId{0}], 4, false);
  pools_.count(pool, table_[WorkerId{1}], 4, false);
  EXPECT_EQ(pool.load->slots.load(), 0U);
  pools_.end_count();
  EXPECT_EQ(pool.load->slots.load(), 8U);
  EXPECT_EQ(pool.load->held.load(), 1U);
}

}  // namespace
}  // namespace mcplane::control
