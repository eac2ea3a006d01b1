// Waiting for a worker: order, release, and what becomes of waiting tasks when the workers change.
#include "unit/dataplane/dataplane_test.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {
namespace {

class Queueing : public PairTest {
 protected:
  // Which client slot a ROUTE is of: the record's, since the frame does not say.
  std::uint16_t slot_routed(const Sent& route) { return task_of(route).slot; }

  std::vector<Sent> submit_urgent(std::uint16_t slot, std::uint8_t priority) {
    return exchange(with_priority(rig().send_spec(*client, slot, 1), priority));
  }
  // Finishes `running` and returns the ROUTE that took its place, and so on; the order of client slots.
  std::vector<std::uint16_t> drain(Sent running, std::size_t tasks) {
    std::vector<std::uint16_t> order;
    while (order.size() < tasks) {
      auto sent = finish(running);
      const auto next = std::ranges::find_if(sent, [](const Sent& f) { return f.type() == FrameType::Route; });
      if (next == sent.end()) break;
      order.push_back(slot_routed(*next));
      running = std::move(*next);
    }
    finish(running);
    return order;
  }
};

TEST_F(Queueing, WaitingTasksLeaveFirstInFirstOut) {
  start(1);
  Sent running = route(0);
  for (std::uint16_t slot = 1; slot <= 20; ++slot) EXPECT_TRUE(submit(slot).empty());
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 20U);
  std::vector<std::uint16_t> expected(20);
  for (std::uint16_t i = 0; i < 20; ++i) expected[i] = static_cast<std::uint16_t>(i + 1);
  EXPECT_EQ(drain(std::move(running), 20), expected);
  EXPECT_EQ(rig().in_state(TaskState::kDelivering), 21U);
}

TEST_F(Queueing, MoreUrgentTasksLeaveFirst) {
  start(1);
  Sent running = route(0);
  const std::uint8_t priorities[] = {3, 0, 2, 1, 0, 3};
  for (std::uint16_t i = 0; i < 6; ++i)
    EXPECT_TRUE(submit_urgent(static_cast<std::uint16_t>(i + 1), priorities[i]).empty());
  EXPECT_EQ(drain(std::move(running), 6), (std::vector<std::uint16_t>{2, 5, 4, 3, 1, 6}));
}

TEST_F(Queueing, AFreeSlotTakesTheWaitingTaskInTheLoopOfTheResult) {
  start(1);
  const Sent running = route(0);
  submit(1);
  const auto sent = finish(running);
  EXPECT_EQ(count(sent, FrameType::Deliver), 1U);
  EXPECT_EQ(count(sent, FrameType::Route), 1U);
  EXPECT_EQ(rig().outstanding(*worker), 1U);
}

TEST_F(Queueing, ANewTaskDoesNotOvertakeWaitingOnes) {
  start(1);
  const Sent running = route(0);
  submit(1);
  rig().send(rig().result_spec(*worker, running.header()));
  rig().send(rig().send_spec(*client, 2, 1));
  const auto sent = step();
  const auto routed = std::ranges::find_if(sent, [](const Sent& f) { return f.type() == FrameType::Route; });
  ASSERT_NE(routed, sent.end());
  EXPECT_EQ(slot_routed(*routed), 1);
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 1U);
}

TEST_F(Queueing, RoutesTakeTurns) {
  start(1);
  Peer& painter = rig().add_worker(1, {.actions = {"paint"}});
  rig().publish();
  step();
  const Sent running = route(0);
  for (std::uint16_t slot = 10; slot < 90; ++slot) submit(slot);
  // Nothing waits for the painter: its tasks pass the long line of the others.
  FrameSpec spec = rig().send_spec(*client, 1, 1);
  spec.table = wire::write_route_table("paint", "llama", {}, "");
  EXPECT_EQ(only(exchange(spec), FrameType::Route).to(), painter.address);
  EXPECT_EQ(rig().in_state(TaskState::kQueued), 80U);
}

TEST_F(Queueing, ManyFreeSlotsAreFilledOverLoopsAndNoneIsLost) {
  options.shard.max_queued = 400;
  start(1, {.slots = 512});
  const Sent running = route(0);
  for (std::uint16_t slot = 1; slot <= 300; ++slot) rig().send(rig().send_spec(*client, slot, 1));
  rig().settle();
  EXPECT_EQ(rig().take_sent().size(), 0U);
  rig().set_bound(*worker, 301);
  std::size_t routed = 0;
  for (int loop = 0; loop < 5; ++loop) {
    const std::size_t now = step().size();
    EXPECT_LE(now, kWaitersPerLoop);
    routed += now;
  }
  EXPECT_EQ(routed, 300U);
}

TEST_F(Queueing, WaitingTasksMoveToAWorkerOfANewSnapshot) {
  start(1);
  const Sent running = route(0);
  submit(1);
  Peer& second = rig().add_worker(1);
  EXPECT_TRUE(step().empty());
  rig().publish();
  const Sent moved = only(step(), FrameType::Route);
  EXPECT_EQ(moved.to(), second.address);
  EXPECT_EQ(slot_routed(moved), 1);
}

TEST_F(Queueing, WaitingTasksEndWhenTheLastWorkerLeaves) {
  start(1);
  const Sent running = route(0);
  const auto sent = lose_worker_with_two_waiting();
  ASSERT_EQ(sent.size(), 2U);
  for (const Sent& frame : sent) expect_reject(frame, Reason::NoWorker, Executed::No);
  EXPECT_EQ(rig().counters().rejected_late.read(), 2U);
  EXPECT_EQ(rig().in_state(TaskState::kRejecting), 2U);
  EXPECT_EQ(only(finish(running), FrameType::Deliver).header().slot(), 0) << "a leaving worker's results still count";
}

TEST_F(Queueing, AWorkerThatTheShardDoesNotKnowYetHoldsTasksBack) {
  start(1);
  const Sent running = route(0);
  rig().end_session(*worker);  // its snapshot entry outlives it for a moment
  step();
  rig().settle();
  rig().take_sent();
  rig().set_bound(*worker, 8);
  EXPECT_TRUE(submit(1).empty());
  EXPECT_EQ(rig().outstanding(*worker), 0U) << "the slot taken for it went back";
  rig().withdraw(*worker);
  rig().publish();
  expect_reject(only(step(), FrameType::Reject), Reason::NoWorker, Executed::No);
}

}  // namespace
}  // namespace mcplane::dataplane
