// The registry's own rules: FIFO reuse, generations, addresses.
#include "control/peers/registry.h"

#include <gtest/gtest.h>

#include <set>

#include "control_fixture.h"

namespace mcplane::control {
namespace {

class RegistryTest : public ::testing::Test {
 protected:
  Session* add(std::uint16_t port) {
    const HelloSpec hello = client_hello(port);
    Path path;
    path.peer = hello.peer;
    return registry.try_add(hello.body, path, 1, ShardId{0});
  }
  SessionId add_and_end(std::uint16_t port) {
    Session* session = add(port);
    const SessionId id = session->id;
    registry.begin_end(*session);
    registry.on_shard_ended(id, ShardId{0});
    return id;
  }

  Random random{3};
  Registry registry{{.sessions = 4, .clients = 4, .workers = 2, .shards = 1}, random};
};

TEST_F(RegistryTest, SlotsAreReusedInTheOrderTheyWereFreed) {
  for (std::uint16_t port = 0; port < 4; ++port) ASSERT_EQ(add(port)->id.index(), port);
  EXPECT_EQ(add(9), nullptr);
  for (const std::uint32_t index : {2U, 0U, 3U}) {
    registry.begin_end(registry.at(index));
    registry.on_shard_ended(registry.at(index).id, ShardId{0});
  }
  EXPECT_EQ(add(10)->id.index(), 2U);
  EXPECT_EQ(add(11)->id.index(), 0U);
  EXPECT_EQ(add(12)->id.index(), 3U);
}

TEST_F(RegistryTest, GenerationsAreNeverZeroAndAllDifferUntilTheyWrap) {
  std::set<std::uint32_t> generations;
  constexpr std::uint32_t kRounds = SessionId::kGenerationMax;
  for (std::uint32_t i = 0; i < 4 * kRounds; ++i) {
    const SessionId id = add_and_end(1);
    ASSERT_NE(id.generation(), 0U);
    if (id.index() == 0) {
      ASSERT_TRUE(generations.insert(id.generation()).second);
    }
  }
  EXPECT_EQ(generations.size(), kRounds);
}

TEST_F(RegistryTest, GenerationsStartAtRandom) {
  Random other_random{4};
  Registry other{{.sessions = 4, .clients = 4, .workers = 2, .shards = 1}, other_random};
  const HelloSpec hello = client_hello(1);
  Path path;
  path.peer = hello.peer;
  EXPECT_NE(add(1)->id, other.try_add(hello.body, path, 1, ShardId{0})->id);
}

TEST_F(RegistryTest, FindsLiveSessionsByAddress) {
  Session* first = add(1);
  Session* second = add(2);
  EXPECT_EQ(registry.find_by_peer(client_hello(1).peer), first);
  registry.begin_end(*first);
  EXPECT_EQ(registry.find_by_peer(client_hello(1).peer), nullptr);
  EXPECT_EQ(registry.find_by_peer(client_hello(2).peer), second);
  EXPECT_EQ(registry.find(first->id), first);
  ASSERT_EQ(registry.live().size(), 1U);
  EXPECT_EQ(registry.live()[0], second->id.index());
  EXPECT_EQ(second->live_position, 0U);
}

TEST_F(RegistryTest, RefusalTakesNothing) {
  HelloSpec hello = worker_hello(1);
  Path path;
  for (std::uint16_t port = 0; port < 2; ++port) {
    path.peer.port = port;
    ASSERT_NE(registry.try_add(hello.body, path, 1, ShardId{0}), nullptr);
  }
  path.peer.port = 2;
  EXPECT_EQ(registry.try_add(hello.body, path, 1, ShardId{0}), nullptr);
  EXPECT_NE(add(10), nullptr);
  EXPECT_NE(add(11), nullptr);  // both session slots are still there
}

}  // namespace
}  // namespace mcplane::control
