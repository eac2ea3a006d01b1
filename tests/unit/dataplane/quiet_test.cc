// How long a shard says that it may be left alone: never past what it owes anybody.
#include "dataplane/quiet.h"

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Quiet : public PairTest {
 protected:
  std::uint32_t quiet() { return quiet_ms(rig().shard(), 10); }
};

TEST_F(Quiet, NothingToDoIsAsLongAsOneLikes) {
  start(4);
  rig().settle();
  EXPECT_EQ(quiet(), 10U);
}

TEST_F(Quiet, ARoutedTaskIsLookedAtBeforeItsTimer) {
  start(4);
  exchange(rig().send_spec(*client, 0, 1, 5));
  rig().settle();
  std::uint32_t slept_ms = 0;
  while (rig().counters().expired_routed.read() == 0 && slept_ms < 20) {
    const std::uint32_t ms = quiet();
    ASSERT_GT(ms, 0U);
    rig().advance_ms(ms);
    slept_ms += ms;
    rig().settle();
    rig().take_sent();
  }
  EXPECT_LE(slept_ms, 6U) << "its TTL is 5 ms";
}

TEST_F(Quiet, WaitingTasksAndOwedAcknowledgementsAreLookedAtEachMillisecond) {
  start(1);
  const Sent route = only(exchange(rig().send_spec(*client, 0, 1)), FrameType::Route);
  exchange(rig().send_spec(*client, 1, 1));
  ASSERT_EQ(rig().in_state(state::TaskState::kQueued), 1U);
  EXPECT_EQ(quiet(), 1U);
  // The RESULT makes room for the waiting task, and is owed an acknowledgement unless that ROUTE took it along.
  exchange(rig().result_spec(*worker, route.header()));
  rig().settle();
  ASSERT_EQ(rig().in_state(state::TaskState::kQueued), 0U);
  for (const Sent& sent : rig().take_sent())
    if (sent.type() == FrameType::Route) rig().send(rig().result_spec(*worker, sent.header()));
  rig().settle();
}

TEST_F(Quiet, TimersThatAreBehindAllowNoSleep) {
  start(4);
  rig().settle();
  rig().advance_ms(400);
  rig().step();  // the wheel walks 256 ticks a turn
  EXPECT_EQ(quiet(), 0U);
  rig().settle();
  rig().step();
  EXPECT_EQ(quiet(), 10U);
}

}  // namespace
}  // namespace mcplane::dataplane
