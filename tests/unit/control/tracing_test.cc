// From a core's records to the sink, with names; what is logged of a failed task; and settings as cores see them.
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "control/cores/span_sink.h"
#include "control/reports/report.h"
#include "control_fixture.h"

namespace mcplane::control {
namespace {

class Sink : public SpanSink {
 public:
  void take(TracedTask task) override { tasks.push_back(std::move(task)); }
  SpanCounts counts() const override { return {4, 3, 2, 1}; }
  std::vector<TracedTask> tasks;
};

class TracingTest : public ControlTest {
 protected:
  void start_traced() {
    shared_options.traces = true;
    options.spans = &sink;
    options.logger =
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(log_text));
    options.logger->set_pattern("%l: %v");
    start();
  }
  void tell(wire::Reason reason, SessionId client, SessionId worker) {
    state::SpanRecord record;
    record.trace.trace_id.fill(0xab);
    record.client = client;
    record.worker = worker;
    record.reason = reason;
    ASSERT_TRUE(shared->shards[0]->spans->ring.try_push(record));
  }

  Sink sink;
  std::ostringstream log_text;
};

TEST_F(TracingTest, RecordsReachTheSinkWithNames) {
  start_traced();
  const SessionId worker = join_worker(worker_hello());
  tell(wire::Reason::Ok, SessionId{}, worker);
  tell(wire::Reason::Ok, worker, SessionId::make(9, 9));
  poll();
  ASSERT_EQ(sink.tasks.size(), 2U);
  EXPECT_EQ(sink.tasks[0].worker, "gpu");
  EXPECT_EQ(sink.tasks[0].client, "");
  EXPECT_EQ(sink.tasks[1].client, "gpu");
  EXPECT_EQ(sink.tasks[1].worker, "");
}

TEST_F(TracingTest, APollTakesABoundedNumber) {
  start_traced();
  for (int i = 0; i < 500; ++i) tell(wire::Reason::Ok, {}, {});
  poll();
  EXPECT_GT(sink.tasks.size(), 0U);
  EXPECT_LT(sink.tasks.size(), 500U);
  run(10);
  EXPECT_EQ(sink.tasks.size(), 500U);
}

TEST_F(TracingTest, OnlyFailedTasksAreLoggedAndOnlyAtDebugLevel) {
  start_traced();
  tell(wire::Reason::Expired, {}, {});
  poll();
  EXPECT_EQ(log_text.str(), "");
  options.logger->set_level(spdlog::level::debug);
  tell(wire::Reason::Ok, {}, {});
  poll();
  EXPECT_EQ(log_text.str(), "");
  tell(wire::Reason::Expired, {}, {});
  poll();
  EXPECT_EQ(log_text.str(),
            "debug: task 00000000000000000000000000000000 of client '' 00000000, attempt 0 at worker 00000000: expired "
            "trace_id=abababababababababababababababab\n");
}

TEST_F(TracingTest, SettingsBecomeTheCoresBounds) {
  start_traced();
  EXPECT_EQ(shared->trace.sample_from, wire::kSampleNone);
  EXPECT_EQ(shared->trace.slow_ns, ~std::uint64_t{0});
  auto settings = std::make_shared<Settings>();
  settings->trace = {.sample = 0.25, .slow_ns = 70 * kNsPerMs};
  control->apply(settings);
  EXPECT_EQ(shared->trace.sample_from, wire::kSampleNone / 4 * 3);
  EXPECT_EQ(shared->trace.slow_ns, 70 * kNsPerMs);
}

TEST_F(TracingTest, ReportsCountWhatIsLost) {
  start_traced();
  shared->shards[0]->spans->dropped.add(5);
  const auto traces = nlohmann::json::parse(info_json(*control)).at("traces");
  EXPECT_EQ(traces.at("tasks_dropped"), 5);
  EXPECT_EQ(traces.at("spans_exported"), 4);
  EXPECT_EQ(traces.at("spans_dropped"), nlohmann::json({{"queue_full", 3}, {"refused", 2}, {"unreachable", 1}}));
}

TEST_F(TracingTest, WithoutASinkThereIsNothingToReport) {
  start();
  EXPECT_TRUE(nlohmann::json::parse(info_json(*control)).at("traces").is_null());
}

}  // namespace
}  // namespace mcplane::control
