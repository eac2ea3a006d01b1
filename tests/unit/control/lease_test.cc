// Leases: nobody silent stays, nobody is evicted for a silence that is ours.
#include "control_fixture.h"

namespace mcplane::control {
namespace {

using state::CommandKind;

class LeaseTest : public ControlTest {
 protected:
  static constexpr std::uint64_t kSlackMs = 2 * Control::kSweepIntervalNs / kNsPerMs;
};

TEST_F(LeaseTest, SilentWorkerIsEvictedAfterThreeIntervals) {
  start();
  const SessionId id = join_worker(worker_hello());
  ASSERT_EQ(workers_for("generate").size(), 1U);
  discard_commands();
  hear(id);
  run(295);
  EXPECT_TRUE(lives(id));
  EXPECT_TRUE(take_commands().empty());
  run(5 + kSlackMs);
  EXPECT_FALSE(lives(id));
  const auto commands = take_commands();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].kind, CommandKind::kEndSession);
  EXPECT_EQ(commands[0].record.id, id);
  const state::WorkerLine& line = shared->workers[WorkerId{0}];
  EXPECT_EQ(line.admits.load(), 0U);
  EXPECT_EQ(line.session.load(), 0U);
  run(6);
  EXPECT_TRUE(workers_for("generate").empty());
}

TEST_F(LeaseTest, ClientsHaveTheirOwnInterval) {
  start();
  const SessionId id = join(client_hello());
  run(2'990);
  EXPECT_TRUE(lives(id));
  run(10 + kSlackMs);
  EXPECT_FALSE(lives(id));
}

// Of who has not heard of the longer one yet nothing is held back for that long.
TEST_F(LeaseTest, ManyPeersAreToldToHoldAcknowledgementsBackBeforeShardsDo) {
  shared_options.sessions = options.max_sessions = 1'016;
  shared_options.workers = 1'016;
  start();
  const auto join_one = [this](std::uint32_t number) {
    HelloSpec hello = worker_hello(static_cast<std::uint16_t>(1'000 + number));
    return join(hello);
  };
  for (std::uint32_t number = 0; number < 1'000; ++number) join_one(number);
  run(1);
  EXPECT_EQ(shared->ack_delay_us, 1'000U);
  join_one(1'000);
  run(1);
  EXPECT_EQ(shared->ack_delay_us, 25'000U);
  EXPECT_EQ(shared->ack_wait_ms, 2U);
}

// Many peers came and went: who was told the long interval has not heard of the short one yet.
TEST_F(LeaseTest, ALeaseIsJudgedByTheLongestIntervalLatelyTold) {
  shared_options.sessions = options.max_sessions = 10'016;
  shared_options.workers = 10'016;
  start();
  const auto from = [](std::uint32_t number) {
    HelloSpec hello = worker_hello(static_cast<std::uint16_t>(1'000 + number % 1'000));
    hello.peer.ip.bytes[15] = static_cast<std::uint8_t>(10 + number / 1'000);
    return hello;
  };
  const SessionId id = join_worker(from(0));
  std::vector<SessionId> crowd;
  for (std::uint32_t number = 1; number < 10'000; ++number) crowd.push_back(join(from(number)));
  run(1);
  EXPECT_EQ(shared->worker_heartbeat_ms, 200U);
  hear(id);
  for (std::uint32_t number = 1; number < 10'000; ++number) {
    punt_bye(crowd[number - 1], from(number).peer);
    if (number % 100 == 0) run(1), discard_commands();
  }
  for (const SessionId gone : crowd) {
    punt_ended(gone);
    poll();
  }
  run(1);
  EXPECT_EQ(shared->worker_heartbeat_ms, 100U);
  hear(id);
  run(500);
  EXPECT_TRUE(lives(id)) << "it may be silent for 200 ms";
  run(100 + kSlackMs);
  EXPECT_FALSE(lives(id));
}

TEST_F(LeaseTest, AnyFrameRenews) {
  start();
  const SessionId id = join_worker(worker_hello());
  for (int i = 0; i < 20; ++i) {
    hear(id);
    run(250);
    ASSERT_TRUE(lives(id)) << i;
  }
}

TEST_F(LeaseTest, ARepeatedHelloRenews) {
  start();
  const HelloSpec hello = worker_hello();
  const SessionId id = join_worker(hello);
  hear(id);
  run(290);
  punt_hello(hello);
  run(290);
  EXPECT_TRUE(lives(id)) << "it was just welcomed back";
  run(10 + kSlackMs);
  EXPECT_FALSE(lives(id));
}

TEST_F(LeaseTest, StopsWhileTheShardStandsStill) {
  start();
  const SessionId id = join_worker(worker_hello());
  hear(id);
  run(200);
  paused[0] = true;
  run(10'000);
  EXPECT_TRUE(lives(id));
  EXPECT_EQ(control->lease_clock().stalls(), 1U);
  paused[0] = false;
  run(60);  // the jump of 10 s counts as 30 ms at most
  EXPECT_TRUE(lives(id));
  run(60);
  EXPECT_FALSE(lives(id));
  EXPECT_EQ(control->lease_clock().stalls(), 1U);
}

TEST_F(LeaseTest, ShortPausesAreNoStalls) {
  start();
  for (int i = 0; i < 50; ++i) {
    paused[0] = true;
    run(30);
    paused[0] = false;
    run(1);
  }
  EXPECT_EQ(control->lease_clock().stalls(), 0U);
}

TEST_F(LeaseTest, StopsWhileTheLinkIsDown) {
  start();
  const SessionId id = join_worker(worker_hello());
  hear(id);
  run(200);
  link_up[0] = false;
  run(10'000);
  EXPECT_TRUE(lives(id));
  link_up[0] = true;
  run(85);
  EXPECT_TRUE(lives(id));
  run(30);
  EXPECT_FALSE(lives(id));
}

TEST_F(LeaseTest, ALeaseRunsWhileItsOwnPortIsUp) {
  ports = {testing::our_addresses(), testing::our_addresses()};
  start();
  HelloSpec west = worker_hello(1'000), east = worker_hello(1'001);
  east.port = PortId{1};
  const SessionId on_west = join_worker(west), on_east = join_worker(east);
  link_up[1] = false;
  run(20);
  hear(on_west);
  hear(on_east);
  run(320);
  EXPECT_FALSE(lives(on_west));
  EXPECT_TRUE(lives(on_east));
  link_up = std::vector<bool>(4, false);
  const SessionId late = join_worker(west);
  run(10'000);
  EXPECT_TRUE(lives(late)) << "no link at all evicts nobody";
  EXPECT_TRUE(lives(on_east));
  link_up[1] = true;
  run(320);
  EXPECT_FALSE(lives(on_east));
  EXPECT_TRUE(lives(late));
}

// Cores that share a CPU are away for as long as the scheduler likes, and come back to what waited for them.
TEST_F(LeaseTest, SharedCpusMakePausesNoStallsAndNoSilence) {
  options.cores_share_cpu = true;
  start();
  const SessionId id = join_worker(worker_hello());
  const auto pause = [&](std::uint64_t ms) {
    paused[0] = true;
    run(ms);
    paused[0] = false;
    run(1);
  };
  for (int i = 0; i < 5; ++i) {
    hear(id);
    pause(450);
    EXPECT_TRUE(lives(id)) << "its heartbeats wait in the queue";
  }
  EXPECT_EQ(control->lease_clock().stalls(), 0U);
  pause(600);
  EXPECT_EQ(control->lease_clock().stalls(), 1U);
}

// 30 s without a poll: peers were heard meanwhile, and a stall of ours is none of the shards'.
TEST_F(LeaseTest, StallOfTheControlThreadEvictsNobody) {
  start();
  const SessionId heard = join_worker(worker_hello(1'000));
  hear(heard);
  now_ns += 30 * kNsPerSecond;
  shard_now_ns += 30 * kNsPerSecond;
  run(1);
  EXPECT_TRUE(lives(heard));
  EXPECT_EQ(control->lease_clock().stalls(), 0U);
  run(340);
  EXPECT_FALSE(lives(heard));
}

TEST_F(LeaseTest, ShardThatNeverRanJudgesNobody) {
  start();
  shared->shards[0]->loop_ns.store(0);
  control = std::make_unique<Control>(*shared, options, ports, Random(7));
  paused[0] = true;
  const SessionId id = join(worker_hello());
  run(2'000);
  EXPECT_TRUE(lives(id));
  EXPECT_EQ(control->lease_clock().stalls(), 0U);
}

TEST_F(LeaseTest, WorkerHeardOnOneShardOfTwoLives) {
  for (const std::size_t shard : {0U, 1U}) {
    start(2);
    const SessionId id = join_worker(worker_hello());
    for (int i = 0; i < 5; ++i) {
      hear(id, shard);
      run(250);
      ASSERT_TRUE(lives(id));
    }
    // The PING may sit in the queue of the shard that stands still.
    paused[shard] = true;
    run(2'000);
    EXPECT_TRUE(lives(id));
    paused[shard] = false;
    run(320);
    EXPECT_FALSE(lives(id));
  }
}

TEST_F(LeaseTest, ClientOfAnotherShardIsJudgedByItsOwn) {
  start(2);
  const SessionId on_first = join(client_hello(1'000)), on_second = join(client_hello(1'001));
  paused[1] = true;
  run(3'020);
  EXPECT_FALSE(lives(on_first));
  EXPECT_TRUE(lives(on_second));
}

// Slot indices outlive sessions: what the last holder's frames left behind is not the next one's heartbeat.
TEST_F(LeaseTest, NewHolderOfASlotStartsUnheard) {
  options.max_sessions = 1;
  start();
  const SessionId first = join_worker(worker_hello(1'000));
  run(350);
  ASSERT_FALSE(lives(first));
  punt_ended(first);
  const SessionId second = join(worker_hello(1'001));
  ASSERT_TRUE(second);
  ASSERT_EQ(second.index(), first.index());
  run(20);
  EXPECT_EQ(control->registry().at(second.index()).phase, Phase::kJoining);
}

}  // namespace
}  // namespace mcplane::control
