// Who is next among those who wait: classes by their shares, clients in turn, and room in the line for everybody.
#include <map>

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Fairness : public PairTest {
 protected:
  std::vector<Sent> submit_as(const Peer& from, std::uint16_t slot, std::uint8_t priority = 1) {
    return exchange(with_priority(rig().send_spec(from, slot, 1, 60'000), priority));
  }
  // The task that takes the place of `running`.
  Sent next_after(const Sent& running) { return first(finish(running), FrameType::Route); }
};

TEST_F(Fairness, ClientsTakeTurns) {
  start(1);
  Peer& other = rig().add_client();
  step();
  Sent running = route(0);
  for (std::uint16_t slot = 1; slot <= 10; ++slot) EXPECT_TRUE(submit_as(*client, slot).empty());
  for (std::uint16_t slot = 1; slot <= 3; ++slot) EXPECT_TRUE(submit_as(other, slot).empty());
  std::vector<bool> others;
  for (int i = 0; i < 8; ++i) {
    running = next_after(running);
    others.push_back(task_of(running).client == other.session);
  }
  EXPECT_EQ(others, (std::vector<bool>{false, true, false, true, false, true, false, false}));
  for (int i = 0; i < 5; ++i) running = next_after(running);
  finish(running);
}

TEST_F(Fairness, EveryClassHasItsShare) {
  options.shard.max_queued = 512;
  start(1, {.slots = 512});
  Sent running = route(0);
  std::uint16_t slot = 1;
  for (int i = 0; i < 100; ++i)
    for (std::uint8_t priority = 0; priority < wire::kPriorities; ++priority)
      EXPECT_TRUE(submit_as(*client, slot++, priority).empty());
  std::map<unsigned, int> turns;
  for (int i = 0; i < 100; ++i) {
    running = next_after(running);
    ++turns[wire::priority_of(task_of(running).flags)];
  }
  EXPECT_NEAR(turns[0], 75, 3);
  EXPECT_NEAR(turns[1], 19, 2);
  EXPECT_NEAR(turns[2], 5, 1);
  EXPECT_EQ(turns[3], 1);
}

// A class that had no waiters has not saved up turns.
TEST_F(Fairness, TimeWithoutWaitersIsNotSavedUp) {
  start(1);
  Sent running = route(0);
  for (std::uint16_t slot = 1; slot <= 40; ++slot) submit_as(*client, slot, 0);
  for (int i = 0; i < 20; ++i) running = next_after(running);
  for (std::uint16_t slot = 50; slot < 60; ++slot) submit_as(*client, slot, 1);
  int less_urgent = 0;
  for (int i = 0; i < 10; ++i) {
    running = next_after(running);
    less_urgent += wire::priority_of(task_of(running).flags) == 1 ? 1 : 0;
  }
  EXPECT_EQ(less_urgent, 2) << "one turn in five";
}

TEST_F(Fairness, OneClientCannotFillTheLine) {
  options.shard.max_queued = 100;
  start(1, {.slots = 256});
  Peer& other = rig().add_client();
  step();
  const Sent running = route(0);
  int waiting = 0;
  for (std::uint16_t slot = 1; slot < 200; ++slot) waiting += submit_as(*client, slot).empty() ? 1 : 0;
  EXPECT_EQ(waiting, 80) << "four fifths";
  EXPECT_EQ(rig().counters().rejected[raw(Reason::QueueFull)].read(), 119U);
  int others = 0;
  for (std::uint16_t slot = 1; slot < 30; ++slot) others += submit_as(other, slot).empty() ? 1 : 0;
  EXPECT_GE(others, 16);
}

}  // namespace
}  // namespace mcplane::dataplane
