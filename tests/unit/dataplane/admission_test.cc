// What may not come: beyond the rate or the number a client or a route is allowed, or without a turn in time.
#include "dataplane/admission.h"
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class Admission : public PairTest {
 protected:
  // The one worker answers a task each `ms`, and takes the next that waits.
  void work_off(std::size_t tasks, std::uint64_t ms) {
    for (std::size_t i = 0; i < tasks; ++i) {
      rig().advance_ms(ms);
      running.push_back(first(finish(running.back()), FrameType::Route));
    }
  }
  // What came of a SEND among the acknowledgements of others.
  Sent outcome(const FrameSpec& spec, FrameType type) { return first(exchange(spec), type); }
  Sent outcome(std::uint16_t slot, FrameType type, std::uint32_t ttl_ms = 60'000) {
    return outcome(rig().send_spec(*client, slot, 1, ttl_ms), type);
  }
  // It waits.
  bool waits(const FrameSpec& spec) {
    const std::uint64_t before = rig().in_state(TaskState::kQueued);
    exchange(spec);
    return rig().in_state(TaskState::kQueued) == before + 1;
  }
  FrameSpec send_with(std::uint16_t slot, std::uint8_t priority, std::uint32_t ttl_ms) {
    return with_priority(rig().send_spec(*client, slot, 1, ttl_ms), priority);
  }
  // Control's last count.
  void count_slots(std::uint32_t slots, std::uint32_t held) {
    rig().shard().snapshot->pool(0).load->slots.store(slots);
    rig().shard().snapshot->pool(0).load->held.store(held);
  }
  void fill(std::uint16_t first, std::uint16_t tasks, std::uint32_t ttl_ms = 60'000) {
    for (std::uint16_t i = 0; i < tasks; ++i) EXPECT_TRUE(submit(first + i, 1, ttl_ms).empty());
  }

  std::vector<Sent> running;
};

TEST_F(Admission, ATaskThatCannotBeServedInTimeIsRefusedAtOnce) {
  start(1, {.slots = 512});
  running.push_back(route(0, 1, 60'000));
  fill(1, 40);
  work_off(20, 10);
  // Twenty wait, 10 ms each.
  const Sent refused = outcome(100, FrameType::Reject, 150);
  expect_reject(refused, Reason::Overloaded, Executed::No);
  EXPECT_NEAR(refused.header().ttl_ms(), 200 - 150, 15) << "then it would have been in time";
  EXPECT_TRUE(waits(rig().send_spec(*client, 101, 1, 300)));
}

TEST_F(Admission, NothingIsForeseenFromFewTurns) {
  start(1);
  running.push_back(route(0, 1, 60'000));
  fill(1, 40);
  work_off(10, 10);
  EXPECT_TRUE(waits(rig().send_spec(*client, 100, 1, 5))) << "it may be in time, as far as anybody knows";
}

TEST_F(Admission, UrgentTasksWaitForFewer) {
  start(1, {.slots = 512});
  running.push_back(route(0, 1, 60'000));
  for (std::uint16_t slot = 1; slot <= 60; ++slot) EXPECT_TRUE(waits(send_with(slot, 1, 60'000)));
  work_off(20, 10);
  EXPECT_TRUE(waits(send_with(100, 0, 50)));
  EXPECT_FALSE(waits(send_with(101, 1, 50)));
}

// 1 ms a task, one slot: after 100 ms without a break, more than 3 ms of waiting is too much.
TEST_F(Admission, AStandingLineIsKeptShort) {
  options.shard.max_queued = 1'000;
  start(1, {.slots = 1'024});
  count_slots(1, 1);
  running.push_back(route(0, 1, 60'000));
  fill(1, 300);
  work_off(50, 1);
  count_slots(1, 1);
  EXPECT_TRUE(waits(rig().send_spec(*client, 500, 1, 60'000))) << "a burst may wait";
  work_off(100, 1);
  const Sent refused = outcome(501, FrameType::Reject);
  expect_reject(refused, Reason::Overloaded, Executed::No);
  EXPECT_EQ(wire::slots_of(refused.header()), 1U);
  EXPECT_EQ(wire::free_slots_of(refused.header()), 0U);
  EXPECT_TRUE(waits(send_with(502, 3, 60'000))) << "the least urgent class waits as long as it lives";
}

TEST_F(Admission, AClientKeepsItsRate) {
  rig().client_limit = {.interval_ns = 10 * kNsPerMs, .burst_ns = 20 * kNsPerMs};  // 100 a second, 3 at once
  start(64);
  Peer& other = rig().add_client();
  step();
  for (std::uint16_t slot = 0; slot < 3; ++slot) outcome(slot, FrameType::Route);
  const Sent refused = outcome(3, FrameType::Reject);
  expect_reject(refused, Reason::RateLimited, Executed::No);
  EXPECT_EQ(refused.header().ttl_ms(), 11U) << "10 ms, and the part of one that was begun";
  outcome(rig().send_spec(other, 0, 1), FrameType::Route);
  rig().advance_ms(10);
  outcome(4, FrameType::Route);
  outcome(5, FrameType::Reject);
}

TEST_F(Admission, AClientKeepsItsNumber) {
  rig().client_limit = {.concurrency = 2};
  start(64);
  const Sent first = route(0), second = route(1);
  expect_reject(only(submit(2), FrameType::Reject), Reason::RateLimited, Executed::No);
  const Sent delivered = only(finish(first), FrameType::Deliver);
  expect_reject(only(submit(3), FrameType::Reject), Reason::RateLimited, Executed::No);
  exchange(rig().outcome_ack_spec(*client, delivered.header()));
  route(4);
  // Cancelled: over as well.
  exchange(rig().cancel_spec(*client, 1, 1));
  route(5);
}

TEST_F(Admission, ARouteIsLimitedOverAllClients) {
  rig().rule = {.shared_limit = 7, .limit = {.interval_ns = kNsPerSecond, .concurrency = 2}};
  start(64);
  Peer& other = rig().add_client();
  step();
  outcome(0, FrameType::Route);
  expect_reject(outcome(rig().send_spec(other, 0, 1), FrameType::Reject), Reason::RateLimited, Executed::No);
  rig().advance_ms(1'000);
  outcome(rig().send_spec(other, 1, 1, 60'000), FrameType::Route);
  rig().advance_ms(1'000);
  expect_reject(outcome(5, FrameType::Reject), Reason::RateLimited, Executed::No);
  EXPECT_EQ(rig().shared.limits[7].open.load(), 2U);
  rig().end_session(*client);
  rig().settle();
  EXPECT_EQ(rig().shared.limits[7].open.load(), 1U) << "who is gone has nothing open";
  rig().take_sent();
}

// What is refused is not paid for.
TEST_F(Admission, ARefusalCostsNothing) {
  rig().client_limit = {.interval_ns = kNsPerMs, .burst_ns = 0};
  rig().rule = {.shared_limit = 0, .limit = {.interval_ns = 100 * kNsPerMs}};
  start(64);
  route(0);
  rig().advance_ms(1);
  for (std::uint16_t slot = 1; slot < 5; ++slot) outcome(slot, FrameType::Reject);
  EXPECT_EQ(rig().shard().sessions.find(client->session)->paid_until_ns, kNsPerMs);
}

TEST(Limit, IsATokenBucket) {
  const state::Limit limit{.interval_ns = 10, .burst_ns = 20};
  std::uint64_t paid = 0;
  for (int i = 0; i < 3; ++i) {
    paid = state::pay(limit, paid, 1'000);
    ASSERT_NE(paid, 0U);
  }
  EXPECT_EQ(paid, 1'030U);
  EXPECT_EQ(state::pay(limit, paid, 1'000), 0U);
  EXPECT_EQ(state::debt_ns(limit, paid, 1'000), 10U);
  EXPECT_EQ(state::pay(limit, paid, 1'010), 1'040U);
  EXPECT_EQ(state::pay(limit, paid, 5'000), 5'010U) << "what was not used is not saved beyond the burst";
}

}  // namespace
}  // namespace mcplane::dataplane
