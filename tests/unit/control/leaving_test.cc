// BYE, draining, and when what a session held may be held again.
#include "control_fixture.h"

namespace mcplane::control {
namespace {

using state::CommandKind;
using wire::FrameType;

TEST_F(ControlTest, ClientByeEndsTheSessionAndIsAcknowledged) {
  start(2);
  const HelloSpec hello = client_hello();
  const SessionId id = join(hello);
  punt_bye(id, hello.peer);
  poll();
  const auto commands = take_commands();
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].kind, CommandKind::kEndSession);
  EXPECT_EQ(commands[0].record.id, id);
  const SentFrame ack = read_frame(commands[1]);
  EXPECT_EQ(ack.header.type(), FrameType::Ack);
  EXPECT_EQ(ack.header.answers(), FrameType::Bye);
  EXPECT_EQ(ack.header.session(), id.value);
  EXPECT_EQ(ack.header.boot_id(), kBootId);
  EXPECT_EQ(ack.lower.source, hello.local);
  EXPECT_TRUE(take_commands(1).empty());  // the other shard never knew it
  EXPECT_EQ(control->registry().clients(), 0U);
}

TEST_F(ControlTest, RepeatedByeIsAcknowledgedAgainEvenAfterTheEnd) {
  start();
  const HelloSpec hello = client_hello();
  const SessionId id = join(hello);
  punt_bye(id, hello.peer);
  punt_bye(id, hello.peer);
  poll();
  EXPECT_EQ(take_commands().size(), 3U);  // one end, two ACKs
  punt_ended(id);
  punt_bye(id, hello.peer);
  poll();
  const auto frames = take_frames();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].header.answers(), FrameType::Bye);
}

TEST_F(ControlTest, ByeOfAnotherAddressOrGenerationIsIgnored) {
  start();
  const HelloSpec hello = client_hello();
  const SessionId id = join(hello);
  punt_bye(id, client_hello(9).peer);
  punt_bye(SessionId::make(id.index(), id.generation() ^ 1), hello.peer);
  punt_bye(SessionId{}, hello.peer);
  punt_bye(SessionId::make(500, 1), hello.peer);
  poll();
  EXPECT_TRUE(take_commands().empty());
  EXPECT_EQ(control->registry().clients(), 1U);
}

TEST_F(ControlTest, WorkerByeDrainsUntilItHoldsNothing) {
  start(2);
  const HelloSpec hello = worker_hello();
  const SessionId id = join_worker(hello);
  const state::WorkerLine& line = shared->workers[WorkerId{0}];
  ASSERT_EQ(shared->workers.try_acquire(WorkerId{0}), id);
  discard_commands();
  punt_bye(id, hello.peer, 1);
  poll();
  const auto told = take_commands(0);  // the owner's
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, CommandKind::kRefreshWorker);
  const auto frames = take_frames(1);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].header.answers(), FrameType::Bye);
  EXPECT_EQ(frames[0].header.worker_session(), id.value);
  EXPECT_EQ(frames[0].lower.source.port, testing::kOurPort + 1);
  EXPECT_FALSE(shared->workers.try_acquire(WorkerId{0}));
  run(10);
  EXPECT_TRUE(workers_for("generate").empty());
  EXPECT_EQ(line.session.load(), id.value);  // still its own: the RESULT is awaited
  EXPECT_TRUE(take_commands(0).empty());

  shared->workers.release(WorkerId{0});
  run(10);
  EXPECT_EQ(line.session.load(), 0U);
  for (std::size_t shard = 0; shard < 2; ++shard) {
    const auto commands = take_commands(shard);
    ASSERT_EQ(commands.size(), 1U);
    EXPECT_EQ(commands[0].kind, CommandKind::kEndSession);
  }
}

// A core that saw the worker admit tasks a moment ago may just be taking a slot.
TEST_F(ControlTest, IdleWorkerIsNotEndedInTheStepOfItsBye) {
  start();
  const HelloSpec hello = worker_hello();
  const SessionId id = join_worker(hello);
  now_ns += Control::kSweepIntervalNs;
  punt_bye(id, hello.peer);
  poll();
  EXPECT_EQ(control->registry().at(id.index()).phase, Phase::kDraining);
  now_ns += Control::kSweepIntervalNs;
  poll();
  EXPECT_EQ(control->registry().at(id.index()).phase, Phase::kEnding);
}

TEST_F(ControlTest, DrainingWorkerThatFallsSilentIsEvicted) {
  start();
  const HelloSpec hello = worker_hello();
  const SessionId id = join_worker(hello);
  ASSERT_EQ(shared->workers.try_acquire(WorkerId{0}), id);
  punt_bye(id, hello.peer);
  run(200);
  EXPECT_EQ(control->registry().workers(), 1U);
  run(120);
  EXPECT_EQ(control->registry().workers(), 0U);
}

TEST_F(ControlTest, DrainingWorkerThatComesBackIsANewSession) {
  start();
  HelloSpec hello = worker_hello();
  const SessionId old = join_worker(hello);
  ASSERT_EQ(shared->workers.try_acquire(WorkerId{0}), old);
  punt_bye(old, hello.peer);
  poll();
  take_commands();
  punt_hello(hello);  // a late duplicate of the HELLO before the BYE
  poll();
  EXPECT_TRUE(take_commands().empty());
  hello.cookie_ms += 1;
  const SessionId back = join(hello);
  ASSERT_TRUE(back);
  EXPECT_NE(back.index(), old.index());
  EXPECT_EQ(shared->workers[WorkerId{1}].session.load(), back.value);
}

TEST_F(ControlTest, SlotIsReusedOnlyAfterEveryShardLetGo) {
  options.max_sessions = 1;
  start(2);
  const HelloSpec hello = worker_hello();
  const SessionId first = join(hello);
  ASSERT_TRUE(first);
  run(320);
  ASSERT_EQ(control->registry().workers(), 0U);
  discard_commands();
  EXPECT_FALSE(join(worker_hello(1'001)));
  punt_ended(first, 0);
  punt_ended(first, 0);  // twice the same shard is not two shards
  EXPECT_FALSE(join(worker_hello(1'001)));
  punt_ended(first, 1);
  poll();  // each mailbox is read in turn
  const SessionId second = join(worker_hello(1'001));
  ASSERT_TRUE(second);
  EXPECT_EQ(second.index(), first.index());
  EXPECT_NE(second.generation(), first.generation());
  punt_ended(first, 0);  // stale: the slot has another holder
  punt_ended(first, 1);
  poll();
  EXPECT_EQ(control->registry().workers(), 1U);
}

TEST_F(ControlTest, RepeatedNewsOfAnEndFreesNothingTwice) {
  options.max_sessions = 2;
  start();
  const HelloSpec hello = client_hello(1'000);
  const SessionId first = join(hello);
  ASSERT_TRUE(join(client_hello(1'001)));
  punt_bye(first, hello.peer);
  for (int i = 0; i < 3; ++i) punt_ended(first);
  poll();
  discard_commands();
  EXPECT_TRUE(join(client_hello(1'002)));
  EXPECT_FALSE(join(client_hello(1'003)));
}

TEST_F(ControlTest, ClientsSlotRangeReturnsWithItsSession) {
  options.max_clients = 2;
  start();
  const HelloSpec hello = client_hello(1'000);
  const SessionId first = join(hello);
  ASSERT_TRUE(join(client_hello(1'001)));
  punt_bye(first, hello.peer);
  poll();
  take_commands();
  EXPECT_FALSE(join(client_hello(1'002)));
  punt_ended(first);
  punt_hello(client_hello(1'002));
  poll();
  const auto commands = take_commands();
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].record.client_slot_base, 0U);
}

}  // namespace
}  // namespace mcplane::control
