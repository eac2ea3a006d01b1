// What a shard notes of the time a task was away: its worker's round trip, of tasks that found their slot free. The
// first ROUTE to a worker is a sample, then every fourth.
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class PaceTest : public PairTest {
 protected:
  state::WorkerPace::Seen pace() { return rig().shared.workers[worker->worker].pace.read(); }
  std::vector<Sent> finish_after(const Sent& routed, std::uint64_t away_us, std::uint32_t worker_us) {
    rig().now_ns += away_us * kNsPerUs;
    FrameSpec result = rig().result_spec(*worker, routed.header());
    result.edit = [worker_us, inner = result.edit](wire::Header& header) {
      inner(header);
      header.mutate_worker_us(worker_us);
    };
    return exchange(result);
  }
};

TEST_F(PaceTest, TheRoundTripIsTheTimeAwayLessTheTimeInTheWorker) {
  start(1);
  finish_after(route(0), 320, 64);
  EXPECT_EQ(pace().samples, 1U);
  EXPECT_EQ(pace().mean_log2, state::pace_log2(256) - state::pace_log2(64));
}

TEST_F(PaceTest, EveryFourthRouteIsASample) {
  start(1);
  for (std::uint16_t slot = 0; slot < 9; ++slot) {
    finish_after(route(slot), 100, 50);
    EXPECT_EQ(pace().samples, slot / 4 + 1U) << slot;
  }
}

TEST_F(PaceTest, WaitingForAWorkerIsNotTimeAway) {
  start(1);
  for (std::uint16_t slot = 0; slot < 3; ++slot) finish_after(route(slot), 1'000, 500);
  const std::int32_t mean = pace().mean_log2;
  const Sent fourth = route(3);
  EXPECT_TRUE(exchange(rig().send_spec(*client, 4, 1)).empty());
  const auto sent = finish_after(fourth, 900'000, 500);
  const auto fifth = std::ranges::find(sent, FrameType::Route, &Sent::type);
  ASSERT_NE(fifth, sent.end());
  EXPECT_EQ(pace().samples, 1U);
  finish_after(*fifth, 1'000, 500);
  EXPECT_EQ(pace().samples, 2U);
  EXPECT_EQ(pace().mean_log2, mean);
}

TEST_F(PaceTest, ATaskSentAheadSaysNothing) {
  start(1);
  rig().set_bound(*worker, 2);
  for (std::uint16_t slot = 0; slot < 3; ++slot) finish_after(route(slot), 1'000, 500);
  const Sent fourth = route(3), ahead = route(4);
  finish_after(ahead, 1'000, 500);
  finish_after(fourth, 1'000, 500);
  EXPECT_EQ(pace().samples, 1U);
}

TEST_F(PaceTest, AWorkerThatClaimsMoreTimeThanPassedIsTakenAtItsWordForNoWay) {
  start(1);
  finish_after(route(0), 10, 4'096);
  EXPECT_EQ(pace().mean_log2, -state::pace_log2(4'096));
}

TEST_F(PaceTest, ASecondResultSaysNothing) {
  start(1);
  const Sent routed = route(0);
  finish_after(routed, 100, 50);
  finish_after(routed, 100, 50);
  EXPECT_EQ(pace().samples, 1U);
}

}  // namespace
}  // namespace mcplane::dataplane
