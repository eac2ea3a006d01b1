// What the loop measures of itself: books that balance while it is on, nothing while it is off.
#include "dataplane/loop_sampler.h"

#include <numeric>

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

using state::Leg;
using state::PerfCounters;

constexpr std::uint32_t kPeriod = LoopSampler::kPeriod;

class Sampling : public PairTest {
 protected:
  const PerfCounters& perf() { return rig().shared.shards[0]->perf; }
  void measure(std::uint32_t run) { rig().shared.perf_run.store(run); }

  // That many loops, each with a SEND that is routed; the workers' RESULTs come in the next one.
  void busy_loops(std::uint32_t loops) {
    for (std::uint32_t i = 0; i < loops; ++i) {
      rig().send(rig().send_spec(*client, slot_, ++sequence_));
      slot_ = static_cast<std::uint16_t>((slot_ + 1) % kSlots);
      if (slot_ != 0) --sequence_;
      for (const Sent& sent : step())
        if (sent.type() == FrameType::Route) rig().send(rig().result_spec(*worker, sent.header()));
    }
  }
  static std::uint64_t frames_of(const state::Residence& residence) {
    return std::accumulate(residence.counts.begin(), residence.counts.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const state::Counter& count) { return sum + count.read(); });
  }
  const state::Residence& residence(Leg leg) { return perf().residence[raw(leg)]; }
  std::uint64_t cycles_of_stations() {
    return std::accumulate(perf().cycles.begin(), perf().cycles.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const state::Counter& cycles) { return sum + cycles.read(); });
  }

  static constexpr std::uint16_t kSlots = 64;

 private:
  std::uint16_t slot_ = 0;
  std::uint32_t sequence_ = 0;
};

TEST_F(Sampling, OffRecordsNothing) {
  start(16);
  busy_loops(3 * kPeriod);
  EXPECT_EQ(perf().run.read() + perf().elapsed_cycles.read() + perf().loops.read() + perf().sampled_loops.read(), 0U);
  EXPECT_EQ(perf().busy_cycles.read() + perf().idle_cycles.read() + cycles_of_stations(), 0U);
  EXPECT_EQ(frames_of(residence(Leg::kRoute)) + frames_of(residence(Leg::kDeliver)), 0U);
}

TEST_F(Sampling, StationsAddUpToTheLoopAndEveryFrameOfItIsRecorded) {
  start(16);
  measure(1);
  busy_loops(4 * kPeriod);
  EXPECT_EQ(perf().run.read(), 1U);
  EXPECT_EQ(perf().loops.read(), 4 * kPeriod);
  EXPECT_EQ(perf().sampled_loops.read(), 4U);
  EXPECT_GT(perf().busy_cycles.read(), 0U);
  EXPECT_EQ(cycles_of_stations(), perf().busy_cycles.read());
  EXPECT_EQ(perf().idle_cycles.read(), 0U);
  EXPECT_GE(perf().elapsed_cycles.read(), perf().busy_cycles.read());
  // Each measured loop had one SEND and one RESULT.
  EXPECT_EQ(perf().frames.read(), 8U);
  EXPECT_EQ(perf().tasks.read(), 4U);
  for (const Leg leg : {Leg::kRoute, Leg::kDeliver}) {
    EXPECT_EQ(frames_of(residence(leg)), 4U);
    EXPECT_GT(residence(leg).max.read(), 0U);
    EXPECT_LE(residence(leg).max.read(), perf().busy_cycles.read());
  }
}

TEST_F(Sampling, LoopsWithoutWorkAreIdleOnes) {
  start(16);
  rig().settle();
  measure(1);
  for (std::uint32_t i = 0; i < 2 * kPeriod; ++i) rig().step();
  EXPECT_EQ(perf().sampled_loops.read(), 2U);
  EXPECT_GT(perf().idle_cycles.read(), 0U);
  EXPECT_EQ(perf().busy_cycles.read() + cycles_of_stations() + perf().frames.read(), 0U);
}

TEST_F(Sampling, FiguresStayWhenItIsOffAndStartAfreshWithTheNextRun) {
  start(16);
  measure(1);
  busy_loops(kPeriod);
  measure(0);
  busy_loops(2 * kPeriod);
  EXPECT_EQ(perf().sampled_loops.read(), 1U);
  EXPECT_EQ(frames_of(residence(Leg::kRoute)), 1U);
  measure(2);
  busy_loops(1);
  EXPECT_EQ(perf().run.read(), 2U);
  EXPECT_EQ(perf().sampled_loops.read() + perf().busy_cycles.read() + frames_of(residence(Leg::kRoute)), 0U);
  EXPECT_EQ(residence(Leg::kRoute).max.read(), 0U);
}

}  // namespace
}  // namespace mcplane::dataplane
