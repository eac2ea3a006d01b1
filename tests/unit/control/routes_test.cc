// What is published, when, and how workers fall into pools.
#include "control_fixture.h"

namespace mcplane::control {
namespace {

TEST_F(ControlTest, WorkerIsPublishedOnceEveryShardHeardIt) {
  for (const std::size_t first : {0U, 1U}) {
    start(2);
    const SessionId id = join(worker_hello());
    run(20);
    EXPECT_TRUE(workers_for("generate").empty());
    hear(id, first);
    run(20);
    EXPECT_TRUE(workers_for("generate").empty());
    EXPECT_EQ(control->published_workers(), 0U);
    hear(id, 1 - first);
    run(12);
    EXPECT_EQ(workers_for("generate"), std::vector{WorkerId{0}});
    EXPECT_EQ(control->published_workers(), 1U);
    EXPECT_EQ(shared->workers[WorkerId{0}].owner(), id);
  }
}

TEST_F(ControlTest, EqualCapabilitySetsShareAPool) {
  start();
  HelloSpec first = worker_hello(1'000, 1, {"summarize", "generate", "generate"});
  HelloSpec second = worker_hello(1'001, 1, {"generate", "summarize"});
  first.body.models = second.body.models = {"llama"};
  HelloSpec third = worker_hello(1'002);
  third.body.models = {"llama", "tiny"};
  third.body.tags = {"eu", "fast"};
  join_worker(first);
  join_worker(second);
  join_worker(third);
  ASSERT_EQ(routes().pools().size(), 2U);
  const std::vector<WorkerId> pair = {WorkerId{0}, WorkerId{1}}, single = {WorkerId{2}};
  EXPECT_EQ(workers_for("summarize"), pair);
  EXPECT_EQ(workers_for("generate").size(), 3U);
  EXPECT_EQ(workers_for("generate", "llama").size(), 3U);
  EXPECT_EQ(workers_for("generate", "tiny"), single);
  EXPECT_EQ(workers_for("generate", "", {"fast"}), single);
  EXPECT_EQ(workers_for("generate", "llama", {"eu", "fast"}), single);
  EXPECT_TRUE(workers_for("generate", "", {"us"}).empty());
  EXPECT_TRUE(workers_for("llama").empty());
}

TEST_F(ControlTest, ShadowWorkersHaveAPoolOfTheirOwn) {
  start();
  HelloSpec hello = worker_hello(1'001);
  hello.body.service = wire::Service::kShadowWorker;
  join_worker(hello);
  EXPECT_TRUE(workers_for("generate").empty());
  EXPECT_EQ(control->published_workers(), 0U) << "nobody is there for production";
  join_worker(worker_hello(1'000));
  ASSERT_EQ(routes().pools().size(), 2U);
  EXPECT_FALSE(routes().pools()[0].shadow);
  EXPECT_TRUE(routes().pools()[1].shadow);
  EXPECT_NE(routes().pools()[0].load, routes().pools()[1].load);
  EXPECT_EQ(workers_for("generate"), std::vector{WorkerId{1}});
  EXPECT_EQ(control->registry().workers(), 1U);
  EXPECT_EQ(control->registry().shadow_workers(), 1U);
  EXPECT_EQ(control->published_workers(), 1U);
}

// Names are numbered by first use, here a, z, b: the second pool's numbers run against the alphabet.
TEST_F(ControlTest, PoolsResolveWhateverTheOrderOfTheirNames) {
  start();
  join_worker(worker_hello(1'000, 1, {"a", "z"}));
  join_worker(worker_hello(1'001, 1, {"b", "z"}));
  EXPECT_EQ(workers_for("a"), std::vector{WorkerId{0}});
  EXPECT_EQ(workers_for("b"), std::vector{WorkerId{1}});
  EXPECT_EQ(workers_for("z").size(), 2U);
}

TEST_F(ControlTest, ClientsAreInNoPool) {
  start();
  hear(join(client_hello()));
  run(20);
  EXPECT_TRUE(routes().pools().empty());
  EXPECT_EQ(routes().generation, 0U);  // and publish nothing
}

TEST_F(ControlTest, AWorkerThatJoinsOrLeavesOthersNeedsNoPublication) {
  start();
  const SessionId first = join_worker(worker_hello(1'000));
  const std::uint64_t generation = routes().generation;
  const SessionId second = join_worker(worker_hello(1'001));
  EXPECT_EQ(control->published_workers(), 2U);
  EXPECT_EQ(workers_for("generate").size(), 2U);
  punt_bye(first, worker_hello(1'000).peer);
  poll();
  EXPECT_EQ(control->published_workers(), 1U);
  EXPECT_EQ(workers_for("generate"), std::vector{WorkerId{1}});
  EXPECT_EQ(routes().generation, generation);
  punt_bye(second, worker_hello(1'001).peer);
  run(12);
  EXPECT_TRUE(routes().pools().empty()) << "nobody is left";
}

TEST_F(ControlTest, ACoreIsToldOfEachWorkerThatJoinsOrDrains) {
  start(2);
  const HelloSpec hello = worker_hello();
  const SessionId id = join(hello, 1);
  for (const std::size_t shard : {0U, 1U}) hear(id, shard);
  run(5);
  const auto refreshed = [this] {
    std::vector<WorkerId> workers;
    for (const state::Command& command : take_commands(1))
      if (command.kind == state::CommandKind::kRefreshWorker) workers.push_back(command.record.worker);
    return workers;
  };
  EXPECT_EQ(refreshed(), std::vector{WorkerId{0}});
  punt_bye(id, hello.peer, 1);
  poll();
  EXPECT_EQ(refreshed(), std::vector{WorkerId{0}});
}

TEST_F(ControlTest, PublicationsAreFiveMillisecondsApart) {
  shared_options.workers = 16;
  start();
  std::uint64_t generation = routes().generation;
  std::uint64_t published_at_ms = 0, publications = 0;
  std::vector<SessionId> ids;
  for (std::uint64_t ms = 1; ms <= 60; ++ms) {
    const auto port = static_cast<std::uint16_t>(1'000 + ms % 30);
    // Each a pool of its own: only these change the routes.
    if (ms <= 15) ids.push_back(join(worker_hello(port, 1, {"generate", "n" + std::to_string(ms)})));
    if (ms <= 15) hear(ids.back());
    // A BYE takes effect at once, unlike a first PING, which waits for a sweep.
    if (ms > 30 && ms <= 45) punt_bye(ids[ms - 31], worker_hello(port).peer);
    run(1);
    if (ms == 30) {
      EXPECT_EQ(workers_for("generate").size(), state::RouteSnapshot::kPoolsPerRoute);
    }
    if (routes().generation == generation) continue;
    EXPECT_EQ(routes().generation, generation + 1);
    if (publications++ > 0) {
      EXPECT_GE(ms - published_at_ms, 5U);
    }
    published_at_ms = ms;
    generation = routes().generation;
  }
  EXPECT_TRUE(workers_for("generate").empty());
  EXPECT_GE(publications, 4U);
  EXPECT_LE(publications, 10U);
}

TEST_F(ControlTest, PublicationWaitsForAReaderThatHoldsTooMany) {
  start();
  HelloSpec hello = worker_hello();
  for (std::size_t i = 0; i < Control::kRetiredMax + 10; ++i) {
    hello.cookie_ms += 1;
    hello.body.instance[0] ^= 1;
    const SessionId id = join_worker(hello);  // replaces the one before
    for (std::uint32_t index = 0; index < options.max_sessions; ++index)
      if (control->registry().at(index).phase == Phase::kEnding) punt_ended(control->registry().at(index).id);
    poll();
    ASSERT_TRUE(id);
  }
  const std::uint64_t held_at = routes().generation;
  EXPECT_EQ(held_at, Control::kRetiredMax);
  shared->routes.quiescent(0);
  run(6);
  EXPECT_EQ(routes().generation, held_at + 1);
  EXPECT_EQ(workers_for("generate").size(), 1U);
}

}  // namespace
}  // namespace mcplane::control
