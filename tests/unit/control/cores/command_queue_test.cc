// Order and bounds when a shard does not keep up.
#include "control/cores/command_queue.h"

#include <gtest/gtest.h>

#include <memory>

namespace mcplane::control {
namespace {

state::Command numbered(state::CommandKind kind, std::uint16_t number) {
  state::Command command{};
  command.kind = kind;
  command.length = number;
  return command;
}

TEST(CommandQueue, KeepsOrderThroughAFullRing) {
  net::SpscRing<state::Command> ring(4);
  CommandQueue queue(ring);
  for (std::uint16_t i = 0; i < 10; ++i) {
    if (i % 2 == 0) {
      queue.push(numbered(state::CommandKind::kInstallSession, i));
    } else {
      queue.push_frame(numbered(state::CommandKind::kTransmit, i));
    }
  }
  state::Command command;
  for (std::uint16_t i = 0; i < 10; ++i) {
    if (ring.size() == 0) queue.flush();
    ASSERT_EQ(ring.pop({&command, 1}), 1U);
    EXPECT_EQ(command.length, i);
    // There is room again, but others wait before this one.
    if (i == 1) queue.push(numbered(state::CommandKind::kEndSession, 10));
  }
  queue.flush();
  ASSERT_EQ(ring.pop({&command, 1}), 1U);
  EXPECT_EQ(command.length, 10);
  EXPECT_EQ(queue.dropped(), 0U);
}

TEST(CommandQueue, DropsFramesButNoSessionsBeyondItsBound) {
  net::SpscRing<state::Command> ring(4);
  CommandQueue queue(ring);
  constexpr std::size_t kFits = CommandQueue::kWaitingFramesMax + 4;
  for (std::size_t i = 0; i < kFits + 7; ++i) queue.push_frame(numbered(state::CommandKind::kTransmit, 1));
  EXPECT_EQ(queue.dropped(), 7U);
  queue.push(numbered(state::CommandKind::kEndSession, 2));
  EXPECT_EQ(queue.dropped(), 7U);
  std::size_t frames = 0, ends = 0;
  state::Command command;
  queue.flush();
  while (ring.pop({&command, 1}) == 1) {
    (command.kind == state::CommandKind::kEndSession ? ends : frames) += 1;
    queue.flush();
  }
  EXPECT_EQ(frames, kFits);
  EXPECT_EQ(ends, 1U);
}

}  // namespace
}  // namespace mcplane::control
