// Fewer NIC queues than cores: a core without one gets its frames by hand-over and sends through the core that has one.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Relaying : public PairTest {
 protected:
  // Shards 2 and 3 have no queue; 0 sends for 2, and 1 for 3.
  void start_four(std::uint16_t slots, ShardId client_shard) {
    options.shards = 4;
    options.queues = 2;
    start(slots, {.shard = client_shard});
  }
  state::ShardCounters& counters(std::uint32_t shard) { return rig().counters(shard); }
};

TEST_F(Relaying, ACoreWithoutAQueueServesItsClients) {
  start_four(4, ShardId{2});
  rig().send(rig().send_spec(*client, 0, 1));
  const Sent routed = only(run_out(), FrameType::Route);
  EXPECT_EQ(routed.shard, ShardId{0});
  EXPECT_EQ(routed.parsed.lower.source.port, testing::kOurPort + 2);
  EXPECT_EQ(wire::token_of(routed.header()).shard(), ShardId{2});
  rig().send(rig().result_spec(*worker, routed.header()));
  const Sent deliver = only(run_out(), FrameType::Deliver);
  EXPECT_EQ(deliver.to(), client->address);
  EXPECT_EQ(counters(0).received.read(), 2U);
  EXPECT_EQ(counters(0).handed_off.read(), 2U);
  EXPECT_EQ(counters(2).forwarded.read(), 2U);
  EXPECT_EQ(counters(2).relayed.read(), 2U);
  EXPECT_EQ(counters(2).sent.read(), 0U);
  EXPECT_EQ(counters(0).sent.read(), 2U);
}

TEST_F(Relaying, ACoreWithAQueueSendsByItself) {
  start_four(4, ShardId{1});
  finish(route(0));
  EXPECT_EQ(counters(1).sent.read(), 2U);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(counters(i).relayed.read(), 0U);
}

TEST_F(Relaying, FramesLeaveByTheirOwnPort) {
  options.shards = 2;
  options.queues = 1;
  options.ports = 3;
  client = &rig().add_client({.port = PortId{2}, .shard = ShardId{1}});
  worker = &rig().add_worker(4, {.port = PortId{1}});
  rig().publish();
  step();
  rig().send(rig().send_spec(*client, 0, 1), PortId{2});
  const Sent routed = only(run_out(), FrameType::Route);
  EXPECT_EQ(routed.port, PortId{1});
  rig().send(rig().result_spec(*worker, routed.header()), PortId{1});
  EXPECT_EQ(only(run_out(), FrameType::Deliver).port, PortId{2});
}

// Frames that a core makes of itself, from spare buffers: here CANCEL and REJECT of what expired.
TEST_F(Relaying, TimersOfACoreWithoutAQueueReachTheWire) {
  start_four(1, ShardId{3});
  rig().send(rig().send_spec(*client, 0, 1, 50));
  rig().send(rig().send_spec(*client, 1, 1, 50));
  only(run_out(), FrameType::Route);
  rig().advance_ms(60);
  const auto sent = run_out();
  EXPECT_EQ(count(sent, FrameType::Reject), 2U);
  EXPECT_EQ(count(sent, FrameType::Cancel), 1U);
  for (const Sent& frame : sent)
    if (frame.type() == FrameType::Cancel) rig().send(rig().stop_spec(*worker, frame.header(), Reason::Stopped));
  EXPECT_TRUE(run_out().empty());
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

TEST_F(Relaying, EventsOfACoreWithoutAQueueKeepTheirTail) {
  options.shards = 2;
  options.queues = 1;
  for (std::uint32_t number = 1; number <= 3; ++number) {
    client = &rig().add_client({.shard = ShardId{1}});
    rig().subscriptions[{client->session.index(), number}] = {"a", ""};
  }
  rig().publish_topics();
  rig().settle();
  rig().send(rig().publish_spec(*client, "a", "some news"));
  const auto events = run_out();
  ASSERT_EQ(events.size(), 3U);
  for (const Sent& event : events)
    EXPECT_TRUE(std::ranges::equal(event.parsed.payload(), testing::to_bytes("some news")));
  EXPECT_EQ(counters(1).relayed.read(), 3U);
}

TEST_F(Relaying, AFullRelayRingIsACountedDrop) {
  options.shards = 2;
  options.queues = 1;
  options.handoff_frames = 5;
  start(4, {.shard = ShardId{1}});
  state::Command transmit{};
  const Bytes frame = testing::build_frame(rig().spec_of(*client, FrameType::Ping));
  transmit.length = static_cast<std::uint16_t>(frame.size());
  std::ranges::copy(frame, transmit.bytes.begin());
  for (int i = 0; i < 7; ++i) rig().command(ShardId{1}, transmit);
  rig().step(ShardId{1});
  EXPECT_EQ(counters(1).relayed.read(), 5U);
  rig().advance_ms(3);
  rig().step(ShardId{1});
  EXPECT_EQ(counters(1).sent_dropped.read(), 2U);
  rig().settle();
  const auto sent = rig().take_sent();
  ASSERT_EQ(sent.size(), 5U);
  for (const Sent& relayed : sent) EXPECT_EQ(relayed.bytes, frame);
}

TEST_F(Relaying, FinishEmptiesTheRings) {
  auto rig = std::make_unique<ShardRig>(RigOptions{.shards = 2, .queues = 1});
  net::MemoryNic witness({}, rig->nic());
  Peer& one = rig->add_client({.shard = ShardId{1}});
  rig->step();
  for (int i = 0; i < 3; ++i) rig->send(rig->spec_of(one, FrameType::Ping));
  rig->step(ShardId{0});  // to the hand-over ring
  rig->step(ShardId{1});  // three PONGs to the relay ring
  rig->send(rig->spec_of(one, FrameType::Ping));
  rig->inject(ShardId{0}, testing::build_frame(rig->spec_of(one, FrameType::Ping)));
  EXPECT_EQ(rig->counters(1).relayed.read(), 3U);
  rig->step(ShardId{0});  // two PINGs to the hand-over ring; the PONGs leave
  rig->take_sent();
  rig->step(ShardId{1});
  EXPECT_EQ(rig->counters(1).relayed.read(), 5U);
  rig.reset();
  EXPECT_EQ(witness.buffers_free(), witness.buffers_total());
  EXPECT_EQ(witness.free_errors(), 0U);
}

}  // namespace
}  // namespace mcplane::dataplane
