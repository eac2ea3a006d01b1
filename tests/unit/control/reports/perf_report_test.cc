// Runs of measurements, and what is said of them: counters as a core would leave them.
#include "control/reports/perf_report.h"

#include <nlohmann/json.hpp>

#include "control_fixture.h"

namespace mcplane::control {
namespace {

using nlohmann::json;
using state::Leg;
using state::Station;

class PerfTest : public ControlTest {
 protected:
  json report() { return json::parse(perf_json(*control)); }
  state::PerfCounters& perf(std::size_t shard) { return shared->shards[shard]->perf; }
  void reside(std::size_t shard, Leg leg, std::uint64_t cycles, std::uint64_t frames) {
    state::Residence& residence = perf(shard).residence[raw(leg)];
    residence.counts[state::Residence::Buckets::bucket_of(cycles)].add(frames);
    residence.max.set(std::max(residence.max.read(), cycles));
  }
};

TEST_F(PerfTest, NothingBeforeTheFirstRun) {
  start();
  const json answer = report();
  EXPECT_EQ(answer["on"], false);
  EXPECT_EQ(answer["cores"], json::array());
  EXPECT_EQ(answer["residence_ns"]["route"]["count"], 0);
  EXPECT_EQ(answer["residence_ns"]["route"]["p99"], 0);
}

TEST_F(PerfTest, EachRunHasANumberOfItsOwn) {
  start();
  control->measure(true);
  EXPECT_EQ(shared->perf_run.load(), 1U);
  control->measure(true);
  EXPECT_EQ(shared->perf_run.load(), 2U);
  EXPECT_EQ(report()["on"], true);
  control->measure(false);
  EXPECT_EQ(shared->perf_run.load(), 0U);
  EXPECT_EQ(report()["on"], false);
}

TEST_F(PerfTest, CyclesByStationOfTheCoresThatMeasured) {
  start(2);
  control->measure(true);
  perf(0).run.set(1);
  perf(0).elapsed_cycles.set(100'000);
  perf(0).loops.set(40);
  perf(0).sampled_loops.set(4);
  perf(0).busy_cycles.set(6'000);
  perf(0).idle_cycles.set(2'000);
  perf(0).frames.set(20);
  perf(0).tasks.set(8);
  perf(0).cycles[raw(Station::kRx)].set(1'500);
  perf(0).cycles[raw(Station::kDispatch)].set(4'500);
  const json answer = report();
  ASSERT_EQ(answer["cores"].size(), 1U) << "shard 1 has not begun";
  const json& core = answer["cores"][0];
  EXPECT_EQ(core["shard"], 0);
  EXPECT_EQ(core["loops"], 40);
  EXPECT_EQ(core["sampled_loops"], 4);
  EXPECT_EQ(core["busy_ratio"], 0.6) << "6,000 cycles in a tenth of the loops, in 100,000";
  EXPECT_EQ(core["cycles_per_frame"]["rx"], 75);
  EXPECT_EQ(core["cycles_per_frame"]["dispatch"], 225);
  EXPECT_EQ(core["cycles_per_frame"]["egress"], 0);
  EXPECT_EQ(core["cycles_per_frame"].size(), state::kStations);
  EXPECT_EQ(core["cycles_per_task"], 750);
  EXPECT_EQ(core["cycles_per_loop"], 2'000);
  EXPECT_EQ(core["idle_cycles_percent"], 25);
}

TEST_F(PerfTest, ResidenceOfAllCoresInNanoseconds) {
  options.tsc_hz = 2'000'000'000;
  start(2);
  control->measure(true);
  perf(0).run.set(1);
  perf(1).run.set(1);
  reside(0, Leg::kRoute, 100, 90);
  reside(1, Leg::kRoute, 2'000, 10);
  reside(1, Leg::kDeliver, 50, 1);
  json route = report()["residence_ns"]["route"];
  EXPECT_EQ(route["count"], 100);
  EXPECT_EQ(route["p50"], 50);
  EXPECT_EQ(route["p90"], 50);
  EXPECT_EQ(route["p99"], 1'000);
  EXPECT_EQ(route["p999"], 1'000);
  EXPECT_EQ(route["max"], 1'000);
  EXPECT_EQ(report()["residence_ns"]["deliver"]["max"], 25);
  // The figures of before are not those of the next run.
  control->measure(true);
  EXPECT_EQ(report()["residence_ns"]["route"]["count"], 0);
}

}  // namespace
}  // namespace mcplane::control
