// What Prometheus is told: counters as cores would leave them, and the text that comes of it.
#include "control/metrics/metrics.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ctime>
#include <map>
#include <set>
#include <sstream>

#include "control_fixture.h"

namespace mcplane::control {
namespace {

using state::Durations;
using Buckets = Durations::Buckets;
using Names = std::vector<std::string>;

class MetricsTest : public ControlTest {
 protected:
  void scrape() {
    text = metrics_text(collect_metrics(*control));
    series.clear();
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with('#')) continue;
      const std::size_t end = line.rfind(' ');
      EXPECT_TRUE(series.emplace(line.substr(0, end), std::stod(line.substr(end + 1))).second) << "twice: " << line;
    }
  }
  double value(const std::string& name) {
    EXPECT_TRUE(series.contains(name)) << name;
    return series.contains(name) ? series.at(name) : -1;
  }
  state::ShardCounters& counters(std::size_t shard) { return shared->shards[shard]->counters; }
  state::ActionCounters& books(std::size_t shard, std::size_t action) { return counters(shard).actions[action]; }
  static void note(Durations& durations, std::uint64_t ns) {
    durations.counts[Buckets::bucket_of(ns)].add();
    durations.sum_ns.add(ns);
  }

  std::string text;
  std::map<std::string, double> series;
};

TEST_F(MetricsTest, EveryFamilySaysWhatItIs) {
  options.hooks.ports = [] { return std::vector<PortState>{{.name = "tap:west", .offloads = {}}}; };
  start(2);
  join_worker(worker_hello());
  scrape();
  std::set<std::string> told;
  std::istringstream lines(text);
  std::string help, type, previous;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, word, name;
    words >> hash >> word >> name;
    if (word == "HELP") help = name;
    if (word == "TYPE") type = name;
    if (hash == "#") continue;
    EXPECT_TRUE(line.starts_with(help)) << line;
    EXPECT_EQ(help, type);
    told.insert(help);
  }
  for (const auto& [name, number] : series)
    EXPECT_TRUE(name.starts_with("mcplane_") || name.starts_with("process_")) << name;
  for (const char* name : {"mcplane_build_info", "mcplane_tasks_received_total", "mcplane_tasks_completed_total",
                           "mcplane_task_duration_seconds", "mcplane_queue_duration_seconds",
                           "mcplane_broker_overhead_seconds", "mcplane_worker_inflight_tasks", "mcplane_breaker_state",
                           "mcplane_frames_dropped_total", "mcplane_core_busy_ratio", "mcplane_config_generation"})
    EXPECT_TRUE(told.contains(name)) << name;
}

TEST_F(MetricsTest, TasksOfAllCoresByActionAndOutcome) {
  start(2);
  join_worker(worker_hello(1'000, 1, {"generate", "summarize"}));
  ASSERT_EQ(control->pools().actions(), (Names{"generate", "summarize"}));
  for (std::size_t shard = 0; shard < 2; ++shard) {
    books(shard, 1).accepted.add(10);
    books(shard, 1).refused.add(2);
    books(shard, 1).answered.add(1);
    books(shard, 1).delivered.add(7);
    books(shard, 1).failed.add(1);
    books(shard, 1).rejected_late.add(1);
    books(shard, 2).accepted.add(3);
    books(shard, 2).degraded_late.add(2);
  }
  books(1, state::kOtherActions).refused.add(5);
  scrape();
  EXPECT_EQ(value(R"(mcplane_tasks_received_total{action="generate"})"), 26);
  EXPECT_EQ(value(R"(mcplane_tasks_received_total{action="summarize"})"), 6);
  EXPECT_EQ(value(R"(mcplane_tasks_received_total{action="other"})"), 5);
  EXPECT_EQ(value(R"(mcplane_tasks_completed_total{action="generate",outcome="result"})"), 14);
  EXPECT_EQ(value(R"(mcplane_tasks_completed_total{action="generate",outcome="worker_error"})"), 2);
  EXPECT_EQ(value(R"(mcplane_tasks_completed_total{action="generate",outcome="rejected"})"), 6);
  EXPECT_EQ(value(R"(mcplane_tasks_completed_total{action="generate",outcome="degraded"})"), 2);
  EXPECT_EQ(value(R"(mcplane_tasks_completed_total{action="summarize",outcome="degraded"})"), 4);
  EXPECT_EQ(value(R"(mcplane_tasks_completed_total{action="other",outcome="rejected"})"), 5);
}

TEST_F(MetricsTest, AnActionKeepsItsBooksWhenItsWorkersLeave) {
  start();
  const HelloSpec hello = worker_hello(1'000, 1, {"paint"});
  const SessionId painter = join_worker(hello);
  punt_bye(painter, hello.peer);
  run(20);
  join_worker(worker_hello(1'001, 2, {"generate", "other"}));
  EXPECT_EQ(control->pools().actions(), (Names{"paint", "generate"})) << "'other' is nobody's name";
  scrape();
  EXPECT_EQ(value(R"(mcplane_route_without_workers{action="paint",model=""})"), 1);
  EXPECT_EQ(value(R"(mcplane_route_without_workers{action="generate",model=""})"), 0);
}

TEST_F(MetricsTest, ActionsBeyondTheirNumberShareBooks) {
  shared_options.workers = 4;
  start();
  for (int worker = 0; worker < 4; ++worker) {
    std::vector<std::string> actions;
    for (int i = 0; i < 16; ++i) actions.push_back("a" + std::to_string(worker * 16 + i));
    join_worker(
        worker_hello(static_cast<std::uint16_t>(1'000 + worker), static_cast<std::uint8_t>(worker + 1), actions));
  }
  EXPECT_EQ(control->pools().actions().size() + 1, state::kActions);
  scrape();
}

TEST_F(MetricsTest, BucketsAreCumulativeAndExactAtTheirBounds) {
  start(2);
  state::TaskTimings& first = shared->shards[0]->timings;
  for (const std::uint64_t ns : {0ULL, 1'023ULL, 1'024ULL, 2'047ULL, 1'048'575ULL, 1'048'576ULL}) note(first.task, ns);
  note(shared->shards[1]->timings.task, 200 * kNsPerSecond);  // beyond the last bound
  scrape();
  const auto bucket = [this](const std::string& bound) {
    return value("mcplane_task_duration_seconds_bucket{le=\"" + bound + "\"}");
  };
  EXPECT_EQ(bucket("1.024e-06"), 2);
  EXPECT_EQ(bucket("2.048e-06"), 4);
  EXPECT_EQ(bucket("0.000524288"), 4);
  EXPECT_EQ(bucket("0.001048576"), 5);
  EXPECT_EQ(bucket("0.002097152"), 6);
  EXPECT_EQ(bucket("137.438953472"), 6);
  EXPECT_EQ(bucket("+Inf"), 7);
  EXPECT_EQ(value("mcplane_task_duration_seconds_count"), 7);
  EXPECT_DOUBLE_EQ(value("mcplane_task_duration_seconds_sum"), 200 + 2'101'245e-9);
  EXPECT_EQ(value("mcplane_queue_duration_seconds_count"), 0);
}

TEST_F(MetricsTest, FramesCoresPortsAndBuffers) {
  options.cores = {2, 3};
  options.hooks.buffers = [] { return BufferUse{100, 40}; };
  options.hooks.ports = [] {
    return std::vector<PortState>{{.name = "tap:west", .offloads = {}, .rx_frames = 7, .rx_missed = 3}};
  };
  options.hooks.heap = [] { return HeapUse{.allocated = 4'096}; };
  start(2);
  for (std::size_t shard = 0; shard < 2; ++shard) {
    counters(shard).received.add(50);
    counters(shard).dropped[static_cast<std::size_t>(DropReason::kBadMagic)].add(4);
    counters(shard).loops.add(shard + 1);
    counters(shard).asleep_ns.add(kNsPerSecond / 2);
  }
  poll();
  counters(1).busy_ns.add(kNsPerSecond / 4);
  now_ns += kNsPerSecond;
  poll();
  scrape();
  EXPECT_EQ(value("mcplane_frames_received_total"), 100);
  EXPECT_EQ(value(R"(mcplane_frames_dropped_total{reason="bad_magic"})"), 8);
  EXPECT_EQ(value(R"(mcplane_frames_dropped_total{reason="queue_full"})"), 0);
  EXPECT_EQ(value(R"(mcplane_core_loops_total{core="1",cpu="3"})"), 2);
  EXPECT_EQ(value(R"(mcplane_core_asleep_seconds_total{core="0",cpu="2"})"), 0.5);
  EXPECT_EQ(value(R"(mcplane_core_busy_ratio{core="0",cpu="2"})"), 0);
  EXPECT_EQ(value(R"(mcplane_core_busy_ratio{core="1",cpu="3"})"), 0.25);
  EXPECT_EQ(value(R"(mcplane_port_received_frames_total{port="tap:west"})"), 7);
  EXPECT_EQ(value(R"(mcplane_port_missed_frames_total{port="tap:west"})"), 3);
  EXPECT_EQ(value(R"(mcplane_port_link_up{port="tap:west"})"), 1);
  EXPECT_EQ(value(R"(mcplane_packet_buffers{state="in_use"})"), 60);
  EXPECT_EQ(value("mcplane_heap_allocated_bytes"), 4'096);
}

TEST_F(MetricsTest, WorkersAreToldByTheirNames) {
  start();
  HelloSpec plain = worker_hello(1'000, 1), twin = worker_hello(1'001, 2), other = worker_hello(1'002, 3),
            nameless = worker_hello(1'003, 4);
  plain.body.name = "gpu \"1\" \xff";  // no UTF-8
  twin.body.name = other.body.name = "twin";
  nameless.body.name = "";
  join_worker(plain);
  const SessionId first = join_worker(twin), second = join_worker(other), third = join_worker(nameless);
  control->force_breaker(first, BreakerMode::kForcedOpen);
  const auto hex = [](SessionId id) { return fmt::format("{:08x}", id.value); };
  scrape();
  EXPECT_EQ(value("mcplane_worker_slots{worker=\"gpu \\\"1\\\" \xef\xbf\xbd\"}"), 3);
  EXPECT_EQ(value("mcplane_worker_inflight_tasks{worker=\"" + hex(third) + "\"}"), 0);
  const auto breaker = [&](SessionId id, const std::string& state) {
    return value("mcplane_breaker_state{worker=\"twin/" + hex(id) + "\",state=\"" + state + "\"}");
  };
  EXPECT_EQ(breaker(first, "open"), 1);
  EXPECT_EQ(breaker(first, "closed"), 0);
  EXPECT_EQ(breaker(second, "open"), 0);
  EXPECT_EQ(breaker(second, "closed"), 1);
}

TEST_F(MetricsTest, TheProcessIsThisOne) {
  start();
  scrape();
  EXPECT_NEAR(value("process_cpu_seconds_total"), static_cast<double>(std::clock()) / CLOCKS_PER_SEC, 0.5);
  EXPECT_GT(value("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(value("process_open_fds"), 3);
  EXPECT_GT(value("process_max_fds"), value("process_open_fds"));
  EXPECT_GE(value("process_threads"), 1);
  EXPECT_NEAR(value("process_start_time_seconds"), static_cast<double>(std::time(nullptr)), 3'600);
  EXPECT_GT(value("mcplane_host_memory_bytes"), value("mcplane_host_memory_available_bytes"));
}

}  // namespace
}  // namespace mcplane::control
