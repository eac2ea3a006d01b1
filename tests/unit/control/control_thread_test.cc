// The thread itself: it polls, runs what others post, and ends.
#include "control/control_thread.h"

#include <future>

#include "control_fixture.h"

namespace mcplane::control {
namespace {

TEST_F(ControlTest, ThreadRunsPostedRequestsAndRegisters) {
  start();
  punt_hello(client_hello());
  std::size_t sessions = 0;
  {
    ControlThread thread(*control);
    // The first poll may already be past the mailbox; the second is not.
    for (int i = 0; i < 2; ++i) {
      std::promise<std::size_t> promise;
      ASSERT_TRUE(control->post([&] { promise.set_value(control->registry().live().size()); }));
      sessions = promise.get_future().get();
    }
  }
  EXPECT_EQ(sessions, 1U);
  EXPECT_EQ(take_commands().size(), 2U);
}

TEST_F(ControlTest, AStepSaysWhetherCoresHadWork) {
  start();
  control->poll(now_ns);
  EXPECT_FALSE(control->poll(now_ns));
  shared->shards.front()->counters.busy_loops.add();
  EXPECT_TRUE(control->poll(now_ns));
  EXPECT_FALSE(control->poll(now_ns));
}

TEST_F(ControlTest, PostedRequestsAreBounded) {
  start();
  std::size_t ran = 0;
  for (std::size_t i = 0; i < Control::kRequestsMax; ++i) ASSERT_TRUE(control->post([&] { ++ran; }));
  EXPECT_FALSE(control->post([&] { ++ran; }));
  poll();
  EXPECT_EQ(ran, Control::kRequestsMax);
  EXPECT_TRUE(control->post([&] { ++ran; }));
}

}  // namespace
}  // namespace mcplane::control
