// Two shards: a frame that arrives at the wrong one completes at its own, and both keep one bound a worker.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class TwoShards : public PairTest {
 protected:
  void start_two(std::uint16_t slots) {
    options.shards = 2;
    start(slots, {.shard = ShardId{1}});
  }
  // As a NIC that cannot steer would: everything to shard 0.
  std::vector<Sent> exchange_at_0(const FrameSpec& spec) {
    rig().inject(ShardId{0}, testing::build_frame(spec));
    return step();
  }
};

TEST_F(TwoShards, AFrameOfTheOtherIsHandedOverAndCompletesThere) {
  start_two(4);
  const Sent routed = only(exchange_at_0(rig().send_spec(*client, 0, 1)), FrameType::Route);
  EXPECT_EQ(routed.shard, ShardId{1});
  EXPECT_EQ(wire::token_of(routed.header()).shard(), ShardId{1});
  EXPECT_EQ(routed.parsed.lower.source.port, testing::kOurPort + 1);
  const Sent deliver = only(exchange_at_0(rig().result_spec(*worker, routed.header())), FrameType::Deliver);
  EXPECT_EQ(deliver.to(), client->address);
  EXPECT_EQ(rig().counters(0).handed_off.read(), 2U);
  EXPECT_EQ(rig().counters(0).received.read(), 2U);
  EXPECT_EQ(rig().counters(1).received.read(), 2U);
  EXPECT_EQ(rig().counters(1).forwarded.read(), 2U);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

TEST_F(TwoShards, BurstsBothWaysKeepTheBooks) {
  start_two(64);
  Peer& other = rig().add_client();
  step();
  for (std::uint16_t slot = 0; slot < 60; ++slot) {
    rig().inject(ShardId{0}, testing::build_frame(rig().send_spec(*client, slot, 1)));
    rig().inject(ShardId{1}, testing::build_frame(rig().send_spec(other, slot, 1)));
  }
  std::size_t delivered = 0;
  for (int loop = 0; loop < 50; ++loop)
    for (const Sent& frame : step()) {
      delivered += frame.type() == FrameType::Deliver ? 1 : 0;
      if (frame.type() == FrameType::Route)  // answered to the port it came from, at the other shard's NIC
        rig().inject(ShardId(static_cast<std::uint8_t>(1 - raw(frame.shard))),
                     testing::build_frame(rig().result_spec(*worker, frame.header())));
      EXPECT_LE(rig().outstanding(*worker), 64U);
    }
  EXPECT_EQ(delivered, 120U);
  EXPECT_EQ(rig().in_state(TaskState::kDelivering, 0), 60U);
  EXPECT_EQ(rig().in_state(TaskState::kDelivering, 1), 60U);
  EXPECT_EQ(rig().counters(0).handed_off.read(), 120U);
}

TEST_F(TwoShards, AFullRingDropsTheRestOfTheBurst) {
  options.handoff_frames = 5;
  start_two(64);
  for (std::uint16_t slot = 0; slot < 12; ++slot)
    rig().inject(ShardId{0}, testing::build_frame(rig().send_spec(*client, slot, 1)));
  const auto sent = step();
  ASSERT_EQ(count(sent, FrameType::Route), 5U);
  for (std::uint16_t slot = 0; slot < 5; ++slot)  // the first of the burst, in their order
    EXPECT_EQ(task_of(sent[slot]).slot, slot);
  EXPECT_EQ(rig().counters(0).handed_off.read(), 5U);
  EXPECT_EQ(rig().dropped(DropReason::kHandoffFull, 0), 7U);
  for (const Sent& routed : sent) finish(routed);
}

TEST_F(TwoShards, OnlyTheOwnerVerifiesAFrame) {
  start_two(4);
  testing::Bytes frame = testing::build_frame(rig().send_spec(*client, 0, 1));
  frame.back() ^= std::byte{1};
  rig().inject(ShardId{0}, frame);
  EXPECT_TRUE(step().empty());
  EXPECT_EQ(rig().counters(0).handed_off.read(), 1U);
  EXPECT_EQ(rig().dropped(DropReason::kBadUdpChecksum, 0), 0U);
  EXPECT_EQ(rig().dropped(DropReason::kBadUdpChecksum, 1), 1U);
}

TEST_F(TwoShards, APortOfNoShardIsUnknownHere) {
  start_two(4);
  FrameSpec spec = rig().send_spec(*client, 0, 1);
  for (const int port : {testing::kOurPort + 2, testing::kOurPort - 1, 0xffff}) {
    spec.destination.port = static_cast<std::uint16_t>(port);
    EXPECT_TRUE(exchange_at_0(spec).empty());
  }
  EXPECT_EQ(rig().dropped(DropReason::kUnknownPort, 0), 3U);
  EXPECT_EQ(rig().counters(0).handed_off.read(), 0U);
}

TEST_F(TwoShards, ShareOneBoundAWorker) {
  start_two(3);
  Peer& other = rig().add_client();
  step();
  std::size_t routed = 0;
  for (std::uint16_t slot = 0; slot < 4; ++slot) {
    routed += exchange(rig().send_spec(*client, slot, 1)).size();
    routed += exchange(rig().send_spec(other, slot, 1)).size();
  }
  EXPECT_EQ(routed, 3U);
  EXPECT_EQ(rig().outstanding(*worker), 3U);
  EXPECT_EQ(rig().in_state(TaskState::kQueued, 0) + rig().in_state(TaskState::kQueued, 1), 5U);
}

TEST_F(TwoShards, AClientIsUnknownToTheShardThatDoesNotOwnIt) {
  start_two(3);
  FrameSpec spec = rig().send_spec(*client, 0, 1);
  spec.destination.port = testing::kOurPort;
  const Sent reject = only(exchange(spec), FrameType::Reject);
  expect_reject(reject, Reason::UnknownSession, Executed::NotSaid);
  EXPECT_EQ(reject.parsed.lower.source.port, testing::kOurPort);
}

TEST_F(TwoShards, AResultAtTheWrongShardsPortCompletesNoTaskOfThatShard) {
  start_two(4);
  Peer& other = rig().add_client();
  step();
  const Sent at_1 = only(exchange(rig().send_spec(*client, 0, 1)), FrameType::Route);
  const Sent at_0 = only(exchange(rig().send_spec(other, 0, 1)), FrameType::Route);
  ASSERT_EQ(wire::token_of(at_0.header()).index(), wire::token_of(at_1.header()).index());
  FrameSpec astray = rig().result_spec(*worker, at_1.header());
  astray.destination.port = testing::kOurPort;
  EXPECT_EQ(only(exchange(astray), FrameType::Ack).header().reason(), Reason::Discard);
  EXPECT_EQ(rig().outstanding(*worker), 2U);
}

TEST_F(TwoShards, AWorkerEndsOnBothBeforeItsSlotsAreFree) {
  start_two(4);
  Peer& other = rig().add_client();
  step();
  exchange(rig().send_spec(*client, 0, 1));
  exchange(rig().send_spec(other, 0, 1));
  rig().withdraw(*worker);
  rig().publish();
  rig().end_session(*worker);
  std::vector<Sent> sent;
  for (int loop = 0; loop < 10; ++loop)
    for (Sent& frame : step()) sent.push_back(std::move(frame));
  ASSERT_EQ(sent.size(), 2U);
  for (const Sent& frame : sent) expect_reject(frame, Reason::WorkerLost, Executed::Maybe);
  EXPECT_EQ(rig().take_punts(ShardId{0}).size(), 1U);
  EXPECT_EQ(rig().take_punts(ShardId{1}).size(), 1U);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

}  // namespace
}  // namespace mcplane::dataplane
