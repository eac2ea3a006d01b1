// What a shard notes of the time a task was away: its worker's round trip, of tasks that found their slot free.
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

TEST_F(PaceTest, WaitingForAWorkerIsNotTimeAway) {
  start(1);
  const Sent first = route(0);
  EXPECT_TRUE(exchange(rig().send_spec(*client, 1, 1)).empty());
  const auto sent = finish_after(first, 1'000, 500);
  const auto second = std::ranges::find(sent, FrameType::Route, &Sent::type);
  ASSERT_NE(second, sent.end());
  const std::int32_t mean = pace().mean_log2;
  finish_after(*second, 1'000, 500);
  EXPECT_EQ(pace().samples, 2U);
  EXPECT_EQ(pace().mean_log2, mean);
}

TEST_F(PaceTest, ATaskSentAheadSaysNothing) {
  start(1);
  rig().set_bound(*worker, 2);
  const Sent first = route(0), second = route(1);
  finish_after(second, 1'000, 500);
  EXPECT_EQ(pace().samples, 0U);
  finish_after(first, 1'000, 500);
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
