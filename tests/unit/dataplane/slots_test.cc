// Client slots: which SEND starts a task, which is a duplicate, and what a duplicate gets.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class ClientSlots : public PairTest {
 protected:
  std::uint64_t dropped(DropReason reason) { return rig().dropped(reason); }
};

// The client sends again when it has heard nothing: now it hears that there is no need to.
TEST_F(ClientSlots, ADuplicateOfATaskInProgressIsAcknowledged) {
  start(2);
  const Sent routed = route(0);
  const Sent ack = only(submit(0), FrameType::Ack);
  EXPECT_EQ(ack.to(), client->address);
  EXPECT_EQ(ack.header().answers(), FrameType::Send);
  EXPECT_EQ(ack.header().slot(), 0);
  EXPECT_EQ(ack.header().sequence(), 1U);
  EXPECT_EQ(rig().outstanding(*worker), 1U);
  EXPECT_EQ(finish(routed).size(), 1U);
}

TEST_F(ClientSlots, ADuplicateOfAQueuedTaskIsAcknowledged) {
  start(1);
  const Sent first = route(0);
  EXPECT_TRUE(submit(1).empty());
  EXPECT_EQ(only(submit(1), FrameType::Ack).header().slot(), 1);
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 1U);
}

TEST_F(ClientSlots, ADuplicateOfADeliveredTaskDoesNothing) {
  start(2);
  finish(route(0));
  EXPECT_TRUE(submit(0).empty());
  EXPECT_EQ(dropped(DropReason::kDuplicate), 1U);
  EXPECT_EQ(rig().counters().accepted.read(), 1U);
}

TEST_F(ClientSlots, ADuplicateOfARejectedTaskGetsTheSameReject) {
  client = &rig().add_client();
  rig().publish();
  step();
  const Sent first = only(submit(0), FrameType::Reject);
  expect_reject(first, Reason::NoWorker, Executed::No);
  worker = &rig().add_worker(1);
  rig().publish();
  step();
  const Sent second = only(submit(0), FrameType::Reject);
  EXPECT_EQ(second.bytes, first.bytes) << "a worker came since, but REJECT is final for its exchange";
  EXPECT_EQ(rig().counters().rejected[raw(Reason::NoWorker)].read(), 2U);
  EXPECT_EQ(only(submit(0, 2), FrameType::Route).header().attempt(), 1);
}

TEST_F(ClientSlots, OnlyTheNextSequenceStartsATask) {
  start(64);
  for (const std::uint32_t wrong : {2U, 9U, 0x80000000U, 0xffffffffU}) EXPECT_TRUE(submit(0, wrong).empty()) << wrong;
  EXPECT_EQ(dropped(DropReason::kStaleSequence), 4U);
  finish(route(0, 1));
  EXPECT_TRUE(submit(0, 0).empty());
  EXPECT_TRUE(submit(0, 3).empty());
  EXPECT_EQ(dropped(DropReason::kStaleSequence), 6U);
  EXPECT_EQ(submit(0, 2).size(), 1U);
}

TEST_F(ClientSlots, TheNextSequenceSaysThatTheOutcomeCame) {
  start(64);
  finish(route(0));
  EXPECT_EQ(rig().in_state(TaskState::kDelivering), 1U);
  EXPECT_EQ(rig().counters().delivered.read(), 0U);
  EXPECT_EQ(submit(0, 2).size(), 1U);
  EXPECT_EQ(rig().in_state(TaskState::kDelivering), 0U);
  EXPECT_EQ(rig().counters().delivered.read(), 1U);
}

// It has an outcome that this shard forgot to have sent, or gave the task up: either way nobody waits for it.
TEST_F(ClientSlots, TheNextSequenceOnABusySlotGivesItsTaskUp) {
  start(64);
  const Sent routed = route(0);
  const auto sent = submit(0, 2);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(count(sent, FrameType::Cancel), 1U);
  EXPECT_EQ(count(sent, FrameType::Route), 1U);
  EXPECT_EQ(rig().counters().cancelled.read(), 1U);
  EXPECT_EQ(only(finish(routed), FrameType::Ack).header().reason(), Reason::Discard);
}

TEST_F(ClientSlots, SequencesWrap) {
  start(64);
  slot_of(*client, 0).sequence = 0xfffffffeU;
  finish(route(0, 0xffffffffU));
  finish(route(0, 0));
  EXPECT_TRUE(submit(0, 0xffffffffU).empty());
  EXPECT_EQ(dropped(DropReason::kStaleSequence), 1U);
}

TEST_F(ClientSlots, SequenceZeroOnAFreshSlotIsNoExchange) {
  start(64);
  EXPECT_TRUE(submit(0, 0).empty());
  EXPECT_EQ(dropped(DropReason::kDuplicate), 1U);
}

TEST_F(ClientSlots, SlotsOverTheLimitAndWorkersAreDropped) {
  start(64, {.slots = 16});
  EXPECT_EQ(submit(15).size(), 1U);
  EXPECT_TRUE(submit(16).empty());
  EXPECT_TRUE(submit(0xffff).empty());
  EXPECT_EQ(dropped(DropReason::kBadSlot), 2U);
  EXPECT_TRUE(exchange(rig().send_spec(*worker, 0, 1)).empty());
  EXPECT_EQ(dropped(DropReason::kWrongService), 1U);
}

TEST_F(ClientSlots, ANewSessionStartsWithFreshSlots) {
  start(64);
  finish(route(3));
  rig().end_session(*client);
  rig().step();
  rig().settle();
  ASSERT_EQ(rig().take_punts().size(), 1U);
  state::Command install{};
  install.kind = state::CommandKind::kInstallSession;
  install.record.id = SessionId::make(client->session.index(), client->session.generation() + 1);
  install.record.service = wire::Service::kClient;
  install.record.slot_limit = 16;
  install.record.peer = client->address;
  rig().command(ShardId{0}, install);
  step();
  const Session* session = rig().shard().sessions.find(install.record.id);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(rig().shard().client_slot(*session, 3).sequence, 0U);
  EXPECT_EQ(rig().shard().client_slot(*session, 3).state, ClientSlot::State::kIdle);
}

}  // namespace
}  // namespace mcplane::dataplane
