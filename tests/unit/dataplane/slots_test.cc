// Client slots: which SEND starts a task, which is a duplicate, and what a duplicate gets.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class ClientSlots : public PairTest {
 protected:
  std::uint64_t dropped(DropReason reason) { return rig().dropped(reason); }
};

TEST_F(ClientSlots, ADuplicateOfATaskInProgressDoesNothing) {
  start(2);
  const Sent routed = route(0);
  EXPECT_TRUE(submit(0).empty());
  EXPECT_EQ(dropped(DropReason::kDuplicate), 1U);
  EXPECT_EQ(rig().outstanding(*worker), 1U);
  EXPECT_EQ(finish(routed).size(), 1U);
}

TEST_F(ClientSlots, ADuplicateOfAQueuedTaskDoesNothing) {
  start(1);
  const Sent first = route(0);
  EXPECT_TRUE(submit(1).empty());
  EXPECT_TRUE(submit(1).empty());
  EXPECT_EQ(dropped(DropReason::kDuplicate), 1U);
  EXPECT_EQ(rig().counters().queued.read(), 1U);
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

TEST_F(ClientSlots, ALateRejectIsRepeatedAsItWas) {
  start(1);
  const Sent routed = route(0, 1, 100);
  auto expired = after_ms(101);
  ASSERT_EQ(expired.size(), 2U);
  const Sent& first = expired[expired[0].type() == FrameType::Reject ? 0 : 1];
  expect_reject(first, Reason::Expired, Executed::Maybe);
  const Sent again = only(submit(0), FrameType::Reject);
  expect_reject(again, Reason::Expired, Executed::Maybe);
  EXPECT_EQ(again.header().ttl_ms(), first.header().ttl_ms());
  EXPECT_EQ(again.header().sequence(), first.header().sequence());
  exchange(rig().stop_spec(*worker, routed.header(), Reason::Stopped));
}

TEST_F(ClientSlots, OneToEightAheadStartATask) {
  start(64);
  for (std::uint32_t ahead = 1; ahead <= 8; ++ahead) {
    const auto slot = static_cast<std::uint16_t>(ahead);
    EXPECT_EQ(submit(slot, ahead).size(), 1U) << ahead;
    EXPECT_EQ(slot_of(*client, slot).sequence, ahead);
  }
  EXPECT_EQ(rig().counters().routed.read(), 8U);
}

TEST_F(ClientSlots, NineAheadAndStaleOnesAreDropped) {
  start(64);
  EXPECT_TRUE(submit(0, 9).empty());
  finish(route(0, 5));
  EXPECT_TRUE(submit(0, 4).empty());
  EXPECT_TRUE(submit(0, 14).empty());
  EXPECT_TRUE(submit(0, 5 + 0x80000000U).empty());
  EXPECT_EQ(dropped(DropReason::kStaleSequence), 4U);
  EXPECT_EQ(submit(0, 13).size(), 1U);
}

TEST_F(ClientSlots, ANewSequenceOnABusySlotIsDropped) {
  start(64);
  const Sent routed = route(0);
  EXPECT_TRUE(submit(0, 2).empty());
  EXPECT_EQ(dropped(DropReason::kStaleSequence), 1U);
  finish(routed);
  EXPECT_EQ(submit(0, 2).size(), 1U);
}

TEST_F(ClientSlots, SequencesWrap) {
  start(64);
  slot_of(*client, 0).sequence = 0xfffffffeU;
  slot_of(*client, 0).state = ClientSlot::State::kDelivered;
  finish(route(0, 0xffffffffU));
  finish(route(0, 3));
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
  finish(route(3, 5));
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
