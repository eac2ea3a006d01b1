// Each class of broken frame: dropped for its reason or answered once, never more bytes than came, and no state left.
// Together with a full mailbox and a full ring they meet every reason there is.
#include <set>

#include "unit/dataplane/dataplane_test.h"
#include "unit/dataplane/malformed_cases.h"

namespace mcplane::dataplane {

MalformedWorld::MalformedWorld(const RigOptions& options)
    : rig(options), client(&rig.add_client()), worker(&rig.add_worker(2)) {
  rig.publish();
  rig.step();
  for (const std::uint16_t slot : std::array<std::uint16_t, 2>{1, 0}) {
    rig.send(rig.send_spec(*client, slot, 1));
    rig.step();
    route = std::move(rig.take_sent().at(0).bytes);
    if (slot == 0) break;
    rig.send(rig.result_spec(*worker, route_header()));
    rig.step();
    rig.send(rig.outcome_ack_spec(*client, rig.take_sent().at(0).header()));
    rig.step();
  }
}

namespace {

class Malformed : public ::testing::Test {
 protected:
  static RigOptions small() { return {.buffers = 1024}; }

  // So many of the frame come at once.
  void run(const MalformedCase& test, std::uint32_t copies) {
    SCOPED_TRACE(std::string(test.name) + ", " + std::to_string(copies));
    MalformedWorld world(small());
    ShardRig& rig = world.rig;
    const Bytes frame = test.frame(world);
    const std::uint64_t accepted = rig.counters().accepted.read();
    for (std::uint32_t copy = 0; copy < copies; ++copy) put_on_wire(rig, frame, test.flag);
    rig.step();
    const auto sent = rig.take_sent();
    ASSERT_EQ(sent.size(), test.reply ? copies : 0U);
    for (const Sent& answer : sent) {
      EXPECT_EQ(answer.type(), *test.reply);
      EXPECT_LE(answer.bytes.size(), frame.size());
    }
    if (test.reason != DropReason::kNone) {
      EXPECT_EQ(rig.dropped(test.reason), copies) << name_of(test.reason);
      hit.insert(test.reason);
    }
    EXPECT_EQ(rig.counters().accepted.read(), accepted);
    EXPECT_EQ(rig.shard().tasks.in_use(), 1U);
    EXPECT_EQ(rig.outstanding(*world.worker), 1U);
    EXPECT_TRUE(rig.take_punts().empty());
    EXPECT_EQ(rig.check_balance(), "");
  }

  void fill_mailbox() {
    MalformedWorld world(small());
    state::Mailbox& mailbox = world.rig.shared.shards[0]->mailbox;
    for (auto* ring : {&mailbox.to_control, &mailbox.neighbours})
      while (ring->try_push(state::Punt{})) {
      }
    world.rig.inject(ShardId{0}, testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip));
    world.rig.send(world.rig.spec_of(*world.client, FrameType::Bye));
    world.rig.step();
    EXPECT_EQ(world.rig.dropped(DropReason::kMailboxFull), 2U);
    EXPECT_EQ(world.rig.check_balance(), "");
    hit.insert(DropReason::kMailboxFull);
  }

  // The payload of a task that was pulled finds workers busy and the line full.
  void fill_line() {
    RigOptions options = small();
    options.shard.max_queued = 1;
    ShardRig rig(options);
    const Peer& client = rig.add_client();
    const Peer& worker = rig.add_worker(1);
    rig.publish();
    rig.step();
    rig.send(rig.send_spec(client, 0, 1));
    rig.step();
    rig.send(rig.route_ack_spec(worker, rig.take_sent().at(0).header(), wire::Reason::Stopped));
    rig.step();
    const Sent resend = std::move(rig.take_sent().at(0));
    for (const std::uint16_t slot : {std::uint16_t{1}, std::uint16_t{2}}) rig.send(rig.send_spec(client, slot, 1));
    rig.send(rig.pulled_spec(client, resend.header()));
    rig.step();
    EXPECT_EQ(rig.dropped(DropReason::kQueueFull), 1U);
    EXPECT_EQ(rig.in_state(TaskState::kPulling), 1U);
    EXPECT_EQ(rig.check_balance(), "");
    hit.insert(DropReason::kQueueFull);
  }

  void fill_handoff() {
    RigOptions options = small();
    options.shards = 2;
    options.handoff_frames = 4;
    ShardRig rig(options);
    const Peer& client = rig.add_client({.shard = ShardId{1}});
    rig.step();
    const Bytes ping = testing::build_frame(rig.spec_of(client, FrameType::Ping));
    for (int i = 0; i < 6; ++i) rig.inject(ShardId{0}, ping);
    rig.step();
    EXPECT_EQ(rig.counters(0).handed_off.read(), 4U);
    EXPECT_EQ(rig.dropped(DropReason::kHandoffFull, 0), 2U);
    EXPECT_EQ(rig.take_sent().size(), 4U);
    EXPECT_EQ(rig.check_balance(), "");
    hit.insert(DropReason::kHandoffFull);
  }

  void fill_events() {
    ShardRig rig({.burst = 64});
    const Peer& peer = rig.add_client();
    // More than leave in all those loops wait in front.
    for (std::uint32_t number = 1; number <= 4 * kEventsPerLoop; ++number)
      rig.subscriptions[{peer.session.index(), number}] = {"a", ""};
    rig.publish_topics();
    rig.step();
    const Bytes publish = testing::build_frame(rig.publish_spec(peer, "a"));
    for (std::uint32_t i = 0; i <= EventLine::kFanOuts; ++i) rig.inject(ShardId{0}, publish);
    for (std::uint32_t frames = 0; frames <= EventLine::kFanOuts; frames += 64) rig.step();
    EXPECT_EQ(rig.dropped(DropReason::kEventsFull), 1U);
    EXPECT_EQ(rig.counters().events_dropped.read(), 4 * kEventsPerLoop);
    rig.take_sent();
    for (auto& shard = rig.shard(); !shard.events.empty();) {
      rig.step();
      rig.take_sent();
    }
    EXPECT_EQ(rig.check_balance(), "");
    hit.insert(DropReason::kEventsFull);
  }

  std::set<DropReason> hit;

 private:
  static void put_on_wire(ShardRig& rig, const Bytes& frame, const std::function<void(net::Packet&)>& flag) {
    net::Packet packet;
    ASSERT_TRUE(rig.nic().allocate({&packet, 1}));
    packet.set_length(static_cast<std::uint16_t>(frame.size()));
    std::ranges::copy(frame, packet.data());
    if (flag) flag(packet);
    rig.nic().inject(std::move(packet));
  }
};

TEST_F(Malformed, EveryClassMeetsItsReasonAndEveryReasonIsMet) {
  std::size_t classes = 0;
  for (const auto& cases : {ethernet_and_ip_cases(), header_cases(), session_cases()})
    for (const MalformedCase& test : cases) {
      run(test, 1);
      run(test, 32);
      ++classes;
    }
  fill_mailbox();
  fill_line();
  fill_handoff();
  fill_events();
  EXPECT_GE(classes, 24U);
  for (std::size_t reason = 1; reason < kDropReasons; ++reason)
    EXPECT_EQ(hit.count(DropReason(reason)), 1U) << name_of(DropReason(reason)) << " is never met";
}

}  // namespace
}  // namespace mcplane::dataplane
