// The table and the JSON that scripts read.
#include "loadgen/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

namespace mcplane::loadgen {
namespace {

Options options_of_run() {
  Options options;
  options.broker = {wire::IpAddress::v4({10, 0, 0, 1}), 4'800};
  return options;
}

RunResult good_run() {
  RunResult result;
  result.tally.sent = 1'003;
  result.tally.endings[static_cast<std::size_t>(Ending::kDelivered)] = 1'000;
  result.tally.endings[static_cast<std::size_t>(Ending::kQueueFull)] = 3;
  result.tally.measured = 1'000;
  result.tally.measured_ns = 2 * kNsPerSecond;
  for (std::uint64_t i = 1; i <= 1'000; ++i) result.tally.latency.record(i * 1'000);
  for (std::uint64_t i = 1; i <= 3; ++i) result.tally.rejected.record(i * 10'000);
  result.cpu = {.clients = 0.5, .workers = 0};
  return result;
}

bool has_line(const std::string& text, const std::string& pattern) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (std::regex_match(line, std::regex(pattern))) return true;
  return false;
}

TEST(Report, EachFigureHasALineOfItsOwn) {
  const std::string table = table_of(options_of_run(), good_run());
  EXPECT_TRUE(has_line(table, "^sent +1003$")) << table;
  EXPECT_TRUE(has_line(table, "^delivered +1000$"));
  EXPECT_TRUE(has_line(table, "^lost +0$"));
  EXPECT_TRUE(has_line(table, "^duplicates +0$"));
  EXPECT_TRUE(has_line(table, "^mismatched +0$"));
  EXPECT_TRUE(has_line(table, "^rejected_queue_full +3$"));
  EXPECT_TRUE(has_line(table, "^rate_per_s +500\\.0$"));
  EXPECT_TRUE(has_line(table, "^max_us +1000\\.0$"));
  for (const char* name : {"p50_us", "p90_us", "p99_us", "p99\\.9_us", "p99\\.99_us", "queued_p50_us", "worker_p99_us",
                           "broker_p99_us", "cpu_clients_percent"})
    EXPECT_TRUE(has_line(table, std::string("^") + name + " +[0-9.]+$")) << name;
}

TEST(Report, ValuesEndInOneColumn) {
  std::istringstream lines(table_of(options_of_run(), good_run()));
  std::size_t width = 0;
  for (std::string line; std::getline(lines, line);) {
    if (width == 0) width = line.size();
    EXPECT_EQ(line.size(), width) << line;
  }
  EXPECT_GT(width, 0U);
}

TEST(Report, JsonHasTheDocumentedFields) {
  const std::string text = json_of(options_of_run(), good_run(), "mcplane-load --json");
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json.at("schema_version"), 1);
  EXPECT_EQ(json.at("command_line"), "mcplane-load --json");
  EXPECT_EQ(json.at("sent"), 1'003);
  EXPECT_EQ(json.at("delivered"), 1'000);
  EXPECT_EQ(json.at("lost"), 0);
  EXPECT_EQ(json.at("errors").at("queue_full"), 3);
  EXPECT_TRUE(json.at("target_rate_per_s").is_null());
  EXPECT_DOUBLE_EQ(json.at("achieved_rate_per_s"), 500.0);
  EXPECT_DOUBLE_EQ(json.at("duration_s"), 2.0);
  for (const char* name : {"p50", "p90", "p99", "p999", "p9999", "p99999", "max"})
    EXPECT_TRUE(json.at("latency_us").at(name).is_number()) << name;
  EXPECT_EQ(json.at("latency_us").at("max"), 1'000.0);
}

Options options_of_port() {
  Options options = options_of_run();
  options.port.emplace();
  options.port->device = {.kind = net::DeviceKind::kVirtio, .name = "/run/x.sock"};
  options.port->address = {wire::IpAddress::v4({10, 0, 0, 2}), 24};
  return options;
}

TEST(Report, ChunksOfStreamsAreCountedAndTimed) {
  RunResult result = good_run();
  ChunkTally& chunks = result.tally.chunks.emplace();
  chunks.received = 99;
  chunks.lost = 1;
  chunks.measured = 50;
  chunks.last_ns = kNsPerSecond;
  chunks.first_chunk.record(3 * kNsPerMs);
  chunks.chunk.record(20'000);
  EXPECT_FALSE(objective_met(result)) << "a chunk was lost";
  const std::string table = table_of(options_of_run(), result);
  EXPECT_TRUE(has_line(table, "^chunks +99$")) << table;
  EXPECT_TRUE(has_line(table, "^chunks_lost +1$"));
  EXPECT_TRUE(has_line(table, "^chunks_per_s +50\\.0$"));
  const auto json = nlohmann::json::parse(json_of(options_of_run(), result, ""));
  EXPECT_EQ(json.at("chunks"), 99);
  EXPECT_EQ(json.at("chunks_lost"), 1);
  EXPECT_EQ(json.at("chunks_duplicated"), 0);
  EXPECT_EQ(json.at("chunks_out_of_order"), 0);
  EXPECT_EQ(json.at("first_chunk_us").at("max"), 3'000.0);
  EXPECT_EQ(json.at("chunk_us").at("count"), 1);
  EXPECT_EQ(json.at("histograms_ns").at("chunk").size(), 1U);
  EXPECT_FALSE(nlohmann::json::parse(json_of(options_of_run(), good_run(), "")).contains("chunks"));
}

TEST(Report, SaysHowFastRejectsCame) {
  EXPECT_TRUE(has_line(table_of(options_of_run(), good_run()), "^reject_p50_us +20\\.[0-9]$"));
  const auto json = nlohmann::json::parse(json_of(options_of_run(), good_run(), ""));
  EXPECT_NEAR(json.at("reject_latency_us").at("p50").get<double>(), 20, 0.2);
  EXPECT_EQ(json.at("reject_latency_us").at("max"), 30.0);
  RunResult none = good_run();
  none.tally.rejected.clear();
  EXPECT_EQ(table_of(options_of_run(), none).find("reject_p50"), std::string::npos);
}

TEST(Report, ASurgeAndFaultyWorkersAreCountedApart) {
  Options options = options_of_port();
  options.rate_per_second = 500;
  options.workers = 2;
  options.faulty_workers.count = 1;
  options.surge = {.clients = 3, .rate_per_second = 2'000};
  RunResult result = good_run();
  result.surge = good_run().tally;
  result.surge->sent = 2'000;
  result.worker_tasks = 1'500;
  result.faulty_worker_tasks = 9;
  result.registration_ns = kNsPerSecond / 2;
  const auto json = nlohmann::json::parse(json_of(options, result, ""));
  EXPECT_EQ(json.at("sent"), 1'003);
  EXPECT_EQ(json.at("surge").at("sent"), 2'000);
  EXPECT_EQ(json.at("surge").at("clients"), 3);
  EXPECT_EQ(json.at("surge").at("errors").at("queue_full"), 3);
  EXPECT_EQ(json.at("surge").at("latency_us").at("count"), 1'000);
  EXPECT_EQ(json.at("worker_tasks"), 1'500);
  EXPECT_EQ(json.at("faulty_worker_tasks"), 9);
  EXPECT_EQ(json.at("registration_s"), 0.5);
  EXPECT_TRUE(has_line(table_of(options, result), "^surge_rejected +3$"));
  EXPECT_TRUE(has_line(table_of(options, result), "^faulty_worker_tasks +9$"));
  EXPECT_TRUE(objective_met(result));
  result.surge->endings[static_cast<std::size_t>(Ending::kNoAnswer)] = 1;
  EXPECT_FALSE(objective_met(result)) << "what the surge lost is lost";
}

TEST(Report, NamesTheTransport) {
  EXPECT_EQ(nlohmann::json::parse(json_of(options_of_run(), good_run(), "")).at("transport"), "udp");
  RunResult result = good_run();
  result.tx_dropped = 7;
  const auto json = nlohmann::json::parse(json_of(options_of_port(), result, ""));
  EXPECT_EQ(json.at("transport"), "virtio:/run/x.sock");
  EXPECT_EQ(json.at("port").at("tx_dropped"), 7);
  EXPECT_GT(json.at("send_bytes"), json.at("payload_bytes"));
  EXPECT_TRUE(has_line(table_of(options_of_port(), result), "^port_tx_dropped +7$"));
  EXPECT_NE(remarks_on(options_of_port(), result).find("did not take 7 frames"), std::string::npos);
}

TEST(Report, APortIsSaturatedWhenItsPollsFindWork) {
  RunResult result = good_run();
  result.cpu.clients = 0.94;
  EXPECT_EQ(nlohmann::json::parse(json_of(options_of_port(), result, "")).at("cpu").at("saturated"), false);
  result.cpu.clients = 0.95;
  EXPECT_EQ(nlohmann::json::parse(json_of(options_of_port(), result, "")).at("cpu").at("saturated"), true);
  EXPECT_NE(remarks_on(options_of_port(), result).find("bottleneck"), std::string::npos);
}

TEST(Report, ObjectiveNeedsNothingLostWrongOrTwice) {
  EXPECT_TRUE(objective_met(good_run()));
  RunResult lost = good_run();
  lost.tally.endings[static_cast<std::size_t>(Ending::kBrokerLost)] = 1;
  EXPECT_FALSE(objective_met(lost));
  RunResult mismatched = good_run();
  mismatched.tally.mismatched = 1;
  EXPECT_FALSE(objective_met(mismatched));
  RunResult nothing;
  EXPECT_FALSE(objective_met(nothing));
}

TEST(Report, SaysWhenItWasTheBottleneck) {
  Options options = options_of_run();
  options.rate_per_second = 1'000'000;
  RunResult result = good_run();
  result.tally.late = 5;
  EXPECT_EQ(remarks_on(options, result).find("bottleneck"), std::string::npos);
  result.cpu.clients = 0.99;
  EXPECT_NE(remarks_on(options, result).find("the load generator was the bottleneck"), std::string::npos);
}

TEST(Report, JsonHasWhatAReaderNeedsToMergeAndToDraw) {
  RunResult result = good_run();
  result.tally.intervals.push_back({.length_ns = kNsPerSecond, .sent = 5, .delivered = 4, .p99_ns = 7'000});
  const auto json = nlohmann::json::parse(json_of(options_of_run(), result, ""));
  for (const char* name : {"p75", "p95", "mean", "count"}) EXPECT_TRUE(json.at("latency_us").contains(name)) << name;
  std::uint64_t counted = 0;
  for (const auto& bucket : json.at("histograms_ns").at("latency")) counted += bucket.at(1).get<std::uint64_t>();
  EXPECT_EQ(counted, 1'000U);
  EXPECT_EQ(json.at("series").at(0).at("delivered"), 4);
  EXPECT_EQ(json.at("series").at(0).at("p99_us"), 7.0);
  EXPECT_FALSE(json.contains("sweep"));
}

TEST(Report, ASweepIsListedByRate) {
  Options options = options_of_run();
  options.sweep = SweepRange{1'000, 4'000};
  options.rate_per_second = 4'000;
  RunResult result = good_run();
  result.sweep = {{.rate_per_second = 1'000, .offered_per_second = 1'000, .achieved_per_second = 1'000, .kept = true},
                  {.rate_per_second = 4'000, .offered_per_second = 4'000, .achieved_per_second = 2'000},
                  {.rate_per_second = 2'000, .offered_per_second = 2'000, .achieved_per_second = 2'000, .kept = true}};
  result.knee_per_second = 2'000;
  const auto json = nlohmann::json::parse(json_of(options, result, ""));
  EXPECT_EQ(json.at("knee_per_s"), 2'000);
  ASSERT_EQ(json.at("sweep").size(), 3U);
  EXPECT_EQ(json.at("sweep").at(1).at("rate_per_s"), 2'000);
  EXPECT_EQ(json.at("sweep").at(2).at("held"), false);
  EXPECT_EQ(json.at("target_rate_per_s"), 2'000);
  const std::string table = table_of(options, result);
  EXPECT_TRUE(has_line(table, "^knee_per_s +2000\\.0$")) << table;
  EXPECT_TRUE(has_line(table, "^ +4000 +2000 .* no$")) << table;
  EXPECT_NE(remarks_on(options, result).find("70 % of the knee"), std::string::npos);
}

TEST(Report, ObjectivesThatFlagsAskForAreJudged) {
  Options options = options_of_run();
  EXPECT_TRUE(missed_objectives(options, good_run()).empty());
  options.objectives = {.p99_max_ns = kNsPerMs, .rate_min_per_second = 500};
  EXPECT_TRUE(missed_objectives(options, good_run()).empty());
  options.objectives = {.p99_max_ns = 900 * kNsPerUs, .rate_min_per_second = 501};
  EXPECT_EQ(missed_objectives(options, good_run()).size(), 2U);
  const auto json = nlohmann::json::parse(json_of(options, good_run(), ""));
  EXPECT_EQ(json.at("objectives").at("missed").size(), 2U);
  EXPECT_EQ(json.at("objectives").at("p99_max_us"), 900);
  const std::string remarks = remarks_on(options, good_run());
  EXPECT_NE(remarks.find("missed --p99-max"), std::string::npos);
  EXPECT_EQ(remarks.find("next:"), std::string::npos);
}

TEST(Report, ManyLateSendsAreOurOwnFaultWhateverTheCpu) {
  Options options = options_of_run();
  options.rate_per_second = 1'000;
  RunResult result = good_run();
  result.tally.late = 10;
  EXPECT_EQ(bottleneck_of(options, result), "");
  result.tally.late = 11;
  EXPECT_NE(bottleneck_of(options, result).find("11 of 1003 sends"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(json_of(options, result, "")).at("cpu").at("saturated"), true);
}

TEST(Report, SuggestsTheSamePortAgain) {
  EXPECT_NE(remarks_on(options_of_port(), good_run())
                .find("--port virtio:/run/x.sock --ip 10.0.0.2/24 --broker 10.0.0.1:4800 --rate 350/s"),
            std::string::npos);
}

TEST(Report, SuggestsAStepAfterSuccessOnly) {
  EXPECT_NE(remarks_on(options_of_run(), good_run()).find("next: mcplane-load --udp 10.0.0.1:4800 --rate 350/s"),
            std::string::npos);
  RunResult no_worker;
  no_worker.tally.sent = 5;
  no_worker.tally.endings[static_cast<std::size_t>(Ending::kNoWorker)] = 5;
  const std::string remarks = remarks_on(options_of_run(), no_worker);
  EXPECT_EQ(remarks.find("next:"), std::string::npos);
  EXPECT_NE(remarks.find("--workers"), std::string::npos);
}

}  // namespace
}  // namespace mcplane::loadgen
