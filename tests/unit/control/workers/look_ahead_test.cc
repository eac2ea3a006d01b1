// How far ahead of free slots workers are sent tasks: the rule, and control's keeping to it.
#include "control/workers/look_ahead.h"

#include "control_fixture.h"
#include "wire/registration.h"

namespace mcplane::control {
namespace {

using state::CommandKind;

constexpr double kMax = 8;

// Of a worker whose round trip is that many sixteenths of its service time.
std::uint32_t ahead(std::uint16_t slots, std::uint32_t sixteenths, double max_share = kMax) {
  state::WorkerPace pace;
  pace.note(sixteenths, 16);
  return look_ahead(slots, pace, max_share);
}

constexpr std::uint32_t kNoLimit = 1'000'000'000;

TEST(LookAhead, IsNoneWhereTheRoundTripIsShort) {
  for (const std::uint16_t slots : {std::uint16_t{1}, std::uint16_t{64}, std::uint16_t{65'535}}) {
    EXPECT_EQ(ahead(slots, 1), 0U) << slots;
    EXPECT_EQ(ahead(slots, 2), 0U) << slots;
  }
  EXPECT_EQ(ahead(1, 3), 1U);
}

TEST(LookAhead, FillsTheRoundTripOfEachSlot) {
  EXPECT_EQ(ahead(1, 8), 1U);
  EXPECT_EQ(ahead(1, 32), 2U);
  EXPECT_EQ(ahead(1, 56), 4U);
  EXPECT_EQ(ahead(4, 16), 4U);
  EXPECT_EQ(ahead(16, 8), 6U);
}

TEST(LookAhead, StaysWithinItsShareAndTheWorkersRoom) {
  EXPECT_EQ(ahead(1, kNoLimit), 8U);
  EXPECT_EQ(ahead(1, kNoLimit, 1), 1U);
  EXPECT_EQ(ahead(3, kNoLimit, 0.5), 1U);
  EXPECT_EQ(ahead(1, kNoLimit, 0), 0U);
  EXPECT_EQ(ahead(64, kNoLimit), 80U);
  for (std::uint32_t slots = 1; slots <= 0xffff; slots += 97) {
    const auto of = static_cast<std::uint16_t>(slots);
    EXPECT_LE(of + ahead(of, kNoLimit, 64), wire::worker_tasks_max(of)) << slots;
    EXPECT_LE(of + ahead(of, kNoLimit, 64), 0xffffU) << slots;
  }
}

TEST(LookAhead, IsNoneWhileNothingWasMeasured) { EXPECT_EQ(look_ahead(4, {}, kMax), 0U); }

class KeepPace : public ControlTest {
 protected:
  static constexpr std::uint64_t kIntervalMs = Control::kPaceIntervalNs / kNsPerMs + 10;

  SessionId join_with_slots(std::uint16_t slots) {
    HelloSpec hello = worker_hello();
    hello.body.slots = slots;
    const SessionId id = join_worker(hello);
    discard_commands();
    return id;
  }
  void keep_alive(SessionId id, std::uint64_t ms) {
    for (std::size_t shard = 0; shard < shared->shards.size(); ++shard) hear(id, shard);
    run(ms);
  }
  // Often enough to be all that is remembered.
  void note(std::uint32_t round_trip_us, std::uint32_t service_us) {
    for (std::uint32_t i = 0; i < 20 * state::WorkerPace::kWindow; ++i)
      shared->workers[WorkerId{0}].pace.note(round_trip_us, service_us);
  }
  std::uint32_t bound() const { return shared->workers[WorkerId{0}].bound.load(); }
};

TEST_F(KeepPace, ABoundFollowsWhatWasMeasuredAndACoreIsTold) {
  start();
  const SessionId id = join_with_slots(4);
  EXPECT_EQ(bound(), 4U);
  note(100, 100);
  keep_alive(id, kIntervalMs);
  EXPECT_EQ(bound(), 8U);
  auto commands = take_commands();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].kind, CommandKind::kRefreshWorker);
  EXPECT_EQ(commands[0].record.worker, WorkerId{0});

  keep_alive(id, kIntervalMs);
  EXPECT_TRUE(take_commands().empty());

  note(100, 100'000);
  keep_alive(id, kIntervalMs);
  EXPECT_EQ(bound(), 4U);
  EXPECT_EQ(take_commands().size(), 1U);
}

TEST_F(KeepPace, IsLookedAtOnceAnInterval) {
  start();
  const SessionId id = join_with_slots(1);
  keep_alive(id, kIntervalMs);
  note(400, 100);
  std::uint64_t ms = 0;
  while (bound() == 1 && ms < 2 * kIntervalMs) {
    keep_alive(id, 1);
    ++ms;
  }
  EXPECT_EQ(bound(), 5U);
  note(100, 100'000);
  keep_alive(id, kIntervalMs / 2);
  EXPECT_EQ(bound(), 5U);
}

TEST_F(KeepPace, ZeroTurnsItOff) {
  options.look_ahead_max = 0;
  start();
  const SessionId id = join_with_slots(4);
  note(1'000, 1);
  keep_alive(id, kIntervalMs);
  EXPECT_EQ(bound(), 4U);
}

TEST_F(KeepPace, ADrainingWorkersBoundStays) {
  start();
  const SessionId id = join_with_slots(4);
  shared->workers[WorkerId{0}].load.fetch_add(1);
  punt_bye(id, worker_hello().peer);
  poll();
  note(1'000, 1);
  keep_alive(id, kIntervalMs);
  EXPECT_EQ(bound(), 4U);
}

TEST_F(KeepPace, ANewSessionOnTheLineStartsAfresh) {
  shared_options.workers = 1;
  start();
  const SessionId id = join_with_slots(4);
  note(1'000, 1);
  keep_alive(id, kIntervalMs);
  EXPECT_GT(bound(), 4U);
  punt_bye(id, worker_hello().peer);
  run(12);
  punt_ended(id);
  poll();
  discard_commands();
  const SessionId next = join_with_slots(2);
  EXPECT_EQ(shared->workers[WorkerId{0}].pace.read().samples, 0U);
  keep_alive(next, kIntervalMs);
  EXPECT_EQ(bound(), 2U);
}

}  // namespace
}  // namespace mcplane::control
