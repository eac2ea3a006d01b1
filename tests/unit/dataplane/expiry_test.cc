// TTL: what waits past it never leaves, what was routed is told Maybe and cancelled until the worker's slot is back.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Expiry : public PairTest {
 protected:
  // A routed task that has just expired; its ROUTE.
  Sent expired(std::uint32_t ttl_ms = 100) {
    Sent routed = route(0, 1, ttl_ms);
    const auto sent = after_ms(ttl_ms);
    EXPECT_EQ(count(sent, FrameType::Reject), 1U);
    EXPECT_EQ(count(sent, FrameType::Cancel), 1U);
    return routed;
  }
};

TEST_F(Expiry, WhileQueuedItIsNeverRouted) {
  start(1);
  const Sent running = route(0, 1, 10'000);
  EXPECT_TRUE(submit(1, 1, 200).empty());
  EXPECT_EQ(only(after_ms(199), FrameType::Ack).header().slot(), 1);
  const Sent reject = only(after_ms(1), FrameType::Reject);
  expect_reject(reject, Reason::Expired, Executed::No);
  EXPECT_EQ(reject.header().slot(), 1);
  EXPECT_EQ(reject.header().sequence(), 1U);
  EXPECT_EQ(rig().counters().expired_unrouted.read(), 1U);
  EXPECT_EQ(count(finish(running), FrameType::Route), 0U);
}

TEST_F(Expiry, InTheLoopInWhichAWorkerFrees) {
  start(1);
  const Sent running = route(0, 1, 10'000);
  EXPECT_TRUE(submit(1, 1, 200).empty());
  rig().advance_ms(200);
  const auto sent = finish(running);
  EXPECT_EQ(count(sent, FrameType::Route), 0U);
  EXPECT_EQ(count(sent, FrameType::Deliver), 1U);
  EXPECT_EQ(count(sent, FrameType::Reject), 1U);
}

TEST_F(Expiry, BeforeTheTimersCaughtUpWithAStalledClock) {
  start(1);
  const Sent running = route(0, 1, 60'000);
  EXPECT_TRUE(submit(1, 1, 9'000).empty());
  rig().advance_ms(10'000);  // the wheel walks a bounded way a loop, the line asks the clock
  const auto sent = finish(running);
  EXPECT_EQ(count(sent, FrameType::Route), 0U);
  ASSERT_EQ(count(sent, FrameType::Reject), 1U);
  expect_reject(sent[sent[0].type() == FrameType::Reject ? 0 : 1], Reason::Expired, Executed::No);
}

TEST_F(Expiry, RouteCarriesWhatIsLeft) {
  start(1);
  const Sent running = route(0, 1, 10'000);
  submit(1, 1, 500);
  rig().advance_ms(123);
  const auto sent = finish(running);
  const auto routed = std::ranges::find_if(sent, [](const Sent& f) { return f.type() == FrameType::Route; });
  ASSERT_NE(routed, sent.end());
  EXPECT_EQ(routed->header().ttl_ms(), 500U - 123U);
  finish(*routed);
}

TEST_F(Expiry, ATtlOfADayIsTheLongest) {
  start(1);
  EXPECT_EQ(route(0, 1, 0xffffffffU).header().ttl_ms(), 86'400'000U);
}

TEST_F(Expiry, WhileRoutedTheClientIsToldMaybeAndTheWorkerToStop) {
  start(1);
  const Sent routed = route(4, 1, 100);
  EXPECT_EQ(only(after_ms(99), FrameType::Ack).header().slot(), 4);
  const auto sent = after_ms(1);
  ASSERT_EQ(sent.size(), 2U);
  const Sent& reject = sent[sent[0].type() == FrameType::Reject ? 0 : 1];
  const Sent& cancel = sent[sent[0].type() == FrameType::Reject ? 1 : 0];
  expect_reject(reject, Reason::Expired, Executed::Maybe);
  EXPECT_EQ(reject.to(), client->address);
  EXPECT_EQ(reject.header().answers(), FrameType::Send);
  EXPECT_EQ(reject.header().session(), client->session.value);
  EXPECT_EQ(reject.header().worker_session(), worker->session.value);
  EXPECT_EQ(reject.header().slot(), 4);
  EXPECT_EQ(reject.header().sequence(), 1U);

  EXPECT_EQ(cancel.type(), FrameType::Cancel);
  EXPECT_EQ(cancel.to(), worker->address);
  EXPECT_TRUE(wire::token_of(cancel.header()) == wire::token_of(routed.header()));
  EXPECT_EQ(cancel.header().attempt(), 1);
  EXPECT_EQ(cancel.header().answers(), FrameType::None);
  EXPECT_EQ(cancel.header().worker_session(), worker->session.value);
  EXPECT_EQ(wire::route_number(cancel.header()), wire::route_number(routed.header()));
  EXPECT_EQ(rig().counters().expired_routed.read(), 1U);
  EXPECT_EQ(rig().in_state(TaskState::kCancelling), 1U);
  EXPECT_EQ(rig().outstanding(*worker), 1U);
}

TEST_F(Expiry, CancelIsRepeatedEverSlowerUntilTheSlotIsBack) {
  start(1);
  const Sent routed = expired();
  EXPECT_EQ(times_of(FrameType::Cancel, 6'500),
            (std::vector<std::uint64_t>{50, 150, 350, 750, 1550, 2550, 3550, 4550, 5550}));
  EXPECT_TRUE(exchange(rig().stop_spec(*worker, routed.header(), Reason::Stopped)).empty());
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_TRUE(times_of(FrameType::Cancel, 4'000).empty());
}

TEST_F(Expiry, AWorkerThatGoesOnKeepsTheSlotUntilItsResult) {
  start(1);
  const Sent routed = expired();
  EXPECT_TRUE(exchange(rig().stop_spec(*worker, routed.header(), Reason::Running)).empty());
  EXPECT_EQ(rig().outstanding(*worker), 1U);
  const Sent ack = only(finish(routed), FrameType::Ack);
  EXPECT_EQ(ack.header().reason(), Reason::Discard);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_EQ(rig().counters().delivered.read(), 0U);
  EXPECT_TRUE(exchange(rig().stop_spec(*worker, routed.header(), Reason::Stopped)).empty());
  EXPECT_EQ(rig().outstanding(*worker), 0U) << "a slot returns once";
  EXPECT_EQ(rig().dropped(DropReason::kStaleToken), 1U);
}

TEST_F(Expiry, AStoppedWorkerTakesTheNextWaitingTask) {
  start(1);
  const Sent routed = route(0, 1, 100);
  submit(1, 1, 5'000);
  after_ms(100);
  const Sent next = only(exchange(rig().stop_spec(*worker, routed.header(), Reason::Stopped)), FrameType::Route);
  EXPECT_EQ(task_of(next).slot, 1);
  EXPECT_EQ(next.header().ttl_ms(), 4'900U);
}

TEST_F(Expiry, ManyAtOnceAreSpreadOverLoops) {
  start(200);
  for (std::uint16_t slot = 0; slot < 150; ++slot) rig().send(rig().send_spec(*client, slot, 1, 100));
  rig().settle();
  EXPECT_EQ(rig().take_sent().size(), 150U);
  rig().advance_ms(100);
  std::size_t rejects = 0;
  for (int loop = 0; loop < 5; ++loop) {
    const auto sent = step();
    EXPECT_LE(count(sent, FrameType::Reject), kTimersPerLoop);
    rejects += count(sent, FrameType::Reject);
  }
  EXPECT_EQ(rejects, 150U);
  EXPECT_EQ(rig().in_state(TaskState::kCancelling), 150U);
}

TEST_F(Expiry, AClockThatJumpsIsCaughtUpWith) {
  start(1);
  route(0, 1, 9'000);
  rig().advance_ms(9'400);
  std::vector<Sent> sent;
  for (int loop = 0; loop < 50 && sent.empty(); ++loop) sent = step();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(count(sent, FrameType::Reject), 1U);
  EXPECT_EQ(count(sent, FrameType::Cancel), 1U);
}

TEST_F(Expiry, WithoutABufferTheClientIsToldByTheRepeat) {
  options.buffers = 512;
  start(1);
  route(0, 1, 100);
  std::vector<net::Packet> hoard(rig().nic().buffers_free());
  ASSERT_TRUE(rig().nic().allocate(hoard));
  std::vector<net::Packet> spares;
  while (!rig().shard().spares.empty()) spares.push_back(rig().shard().take_spare());
  EXPECT_TRUE(after_ms(100).empty());
  EXPECT_TRUE(after_ms(1).empty());
  EXPECT_EQ(rig().in_state(TaskState::kCancelling), 1U);
  EXPECT_EQ(rig().counters().no_buffer.read(), 2U);
  rig().nic().free(hoard);
  rig().nic().free(spares);
  const auto sent = after_ms(49);
  EXPECT_EQ(count(sent, FrameType::Reject), 1U);
  EXPECT_EQ(count(sent, FrameType::Cancel), 1U);
}

}  // namespace
}  // namespace mcplane::dataplane
