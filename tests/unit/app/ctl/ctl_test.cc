// mcplane-ctl without a broker: tasks from flags and files, outcomes and admin answers as text.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "app/ctl/admin.h"
#include "app/ctl/autoscale.h"
#include "app/ctl/breaker.h"
#include "app/ctl/degrade.h"
#include "app/ctl/outcome.h"
#include "app/ctl/perf.h"
#include "app/ctl/send.h"

namespace mcplane::app {
namespace {

using namespace std::chrono_literals;

constexpr const char* kTaskJson =
    R"({"mcp_version":"1.0","task_id":"t-1","action":"generate","payload":{"prompt":"hi","context":{"history":[]}},"ttl":3})";

Parsed<Task> make(const SendFlags& flags, const std::string& input = "") {
  std::istringstream stream(input);
  return make_task(flags, stream);
}

Outcome result_outcome() {
  Outcome outcome;
  outcome.kind = OutcomeKind::kResult;
  outcome.executed = Executed::kYes;
  outcome.task_id = "t-1";
  outcome.text = "hello";
  outcome.worker_node = 0x1a2b3c;
  outcome.attempt = 1;
  outcome.timing = {.queued = 5us, .broker = 2us, .worker = 100us, .total = 150us};
  return outcome;
}

TEST(MakeTask, FromFlags) {
  const auto task = make({.id = "x",
                          .action = "embed",
                          .prompt = "hi",
                          .model = "m",
                          .tags = {"gpu"},
                          .history = {"user:a:b", "assistant:"},
                          .ttl_ns = 1'500'000'000,
                          .priority = 0,
                          .idempotent = true,
                          .shadow = true});
  ASSERT_TRUE(task) << task.error;
  EXPECT_EQ(task.value->id, "x");
  EXPECT_EQ(task.value->action, "embed");
  EXPECT_EQ(task.value->prompt, "hi");
  EXPECT_EQ(task.value->model, "m");
  EXPECT_EQ(task.value->tags, std::vector<std::string>({"gpu"}));
  EXPECT_EQ(task.value->history, std::vector<Turn>({{"user", "a:b"}, {"assistant", ""}}));
  EXPECT_EQ(task.value->ttl, 1'500ms);
  EXPECT_EQ(task.value->priority, 0);
  EXPECT_TRUE(task.value->idempotent);
  EXPECT_TRUE(task.value->shadow);
  const auto least = make({.prompt = "hi"});
  ASSERT_TRUE(least);
  EXPECT_EQ(least.value->action, "generate");
  EXPECT_EQ(least.value->ttl, 30s);
}

TEST(MakeTask, FromStdinAndFile) {
  const auto from_stdin = make({.file = "-"}, kTaskJson);
  ASSERT_TRUE(from_stdin) << from_stdin.error;
  EXPECT_EQ(from_stdin.value->id, "t-1");
  EXPECT_EQ(from_stdin.value->ttl, 3s);
  const std::string path = ::testing::TempDir() + "mcplane-ctl-test.json";
  std::ofstream(path) << kTaskJson;
  const auto from_file = make({.file = path});
  std::remove(path.c_str());
  ASSERT_TRUE(from_file) << from_file.error;
  EXPECT_EQ(from_file.value->prompt, "hi");
}

TEST(MakeTask, MistakesAreOneLine) {
  struct Case {
    SendFlags flags;
    std::string input;
    std::string_view says;
  };
  for (const auto& [flags, input, says] : {
           Case{{}, "", "--prompt is missing; type --prompt TEXT or --file task.json"},
           Case{{.file = "/no/such/file"}, "", "cannot read '/no/such/file': No such file or directory"},
           Case{{.file = "/"}, "", "cannot read '/': Is a directory"},
           Case{{.file = "-"}, "{\"a\":", "not well-formed"},
           Case{{.file = "-"}, "", "not well-formed"},
           Case{{.file = "-"}, R"({"mcp_version":"1.0"})", "task_id: missing"},
           Case{{.file = "-", .prompt = "x"}, kTaskJson, "type either --file or the task's own flags"},
           Case{{.prompt = "x", .history = {"hello"}}, "", "type ROLE:CONTENT"},
           Case{{.prompt = "x", .history = {":hello"}}, "", "type ROLE:CONTENT"},
           Case{{.id = std::string(65, 'x'), .prompt = "x"}, "", "--id: longer than 64 bytes"},
           Case{{.prompt = "x", .tags = {"a", "b", "c", "d", "e", "f", "g", "h", "i"}}, "", "--tag: more than 8"},
       }) {
    const auto task = make(flags, input);
    EXPECT_FALSE(task) << says;
    EXPECT_NE(task.error.find(says), std::string::npos) << task.error;
    EXPECT_EQ(task.error.find('\n'), std::string::npos) << task.error;
  }
}

TEST(ReportOn, ResultIsTheAnswerAndWhereTheTimeWent) {
  const auto report = report_on(result_outcome(), false);
  EXPECT_EQ(report.exit_code, kExitOk);
  EXPECT_EQ(report.standard_output, "hello\n");
  EXPECT_EQ(report.standard_error,
            "result from worker 001a2b3c, attempt 1\n"
            "  queue              5 us\n"
            "  broker             2 us\n"
            "  worker           100 us\n"
            "  network           43 us\n"
            "  total            150 us\n");
}

TEST(ReportOn, ResultAsJson) {
  Outcome outcome = result_outcome();
  outcome.text = "caf\xe9";  // not UTF-8
  const auto report = report_on(outcome, true);
  EXPECT_EQ(report.exit_code, kExitOk);
  EXPECT_EQ(report.standard_error, "");
  const auto json = nlohmann::json::parse(report.standard_output);
  EXPECT_EQ(json.at("outcome"), "result");
  EXPECT_EQ(json.at("executed"), "yes");
  EXPECT_EQ(json.at("task_id"), "t-1");
  EXPECT_EQ(json.at("worker_node"), "001a2b3c");
  EXPECT_EQ(json.at("attempt"), 1);
  EXPECT_EQ(json.at("timing_us"),
            nlohmann::json({{"queue", 5}, {"broker", 2}, {"worker", 100}, {"network", 43}, {"total", 150}}));
}

TEST(ReportOn, WhatWasPrintedIsNotPrintedAgain) {
  Outcome outcome = result_outcome();
  outcome.text = "";
  outcome.chunks = 3;
  outcome.received = 11;
  outcome.timing.first_chunk = 20us;
  auto report = report_on(outcome, false, "world");
  EXPECT_EQ(report.standard_output, "\n");
  EXPECT_TRUE(report.standard_error.ends_with("3 chunks, 11 bytes; the first after 20 us\n")) << report.standard_error;
  EXPECT_EQ(report_on(outcome, false, "world\n").standard_output, "");
  const auto json = nlohmann::json::parse(report_on(outcome, true).standard_output);
  EXPECT_EQ(json.at("chunks"), 3);
  EXPECT_EQ(json.at("first_chunk_us"), 20);
  outcome.kind = OutcomeKind::kWorkerLost;
  EXPECT_EQ(report_on(outcome, false, "half").standard_output, "\n");
}

TEST(ReportOn, NetworkTimeIsNeverNegative) {
  Outcome outcome = result_outcome();
  outcome.timing.total = 100us;
  const auto json = nlohmann::json::parse(report_on(outcome, true).standard_output);
  EXPECT_EQ(json.at("timing_us").at("network"), 0);
}

TEST(ReportOn, OtherOutcomesAreOneLineAndExit1) {
  Outcome rejected;
  rejected.kind = OutcomeKind::kRejected;
  rejected.executed = Executed::kNo;
  rejected.reason = "queue_full";
  rejected.retry_after = 50ms;
  auto report = report_on(rejected, false);
  EXPECT_EQ(report.exit_code, kExitRuntime);
  EXPECT_EQ(report.standard_output, "");
  EXPECT_EQ(report.standard_error, "mcplane-ctl: rejected (queue_full), executed: no, try again after 50 ms\n");
  Outcome error = result_outcome();
  error.kind = OutcomeKind::kWorkerError;
  error.reason = "worker_error";
  error.text = "no such\nmodel";
  report = report_on(error, true);
  EXPECT_EQ(report.exit_code, kExitRuntime);
  EXPECT_EQ(nlohmann::json::parse(report.standard_output).at("text"), "no such\nmodel");
  EXPECT_EQ(report.standard_error, "mcplane-ctl: worker_error: no such?model, executed: yes\n");
}

TEST(StatusTable, ShowsEveryPart) {
  const auto table = status_table(
      R"({"version":"0.1.0","boot_id":"1a2b3c4d","uptime_s":3725,"ips":["10.0.0.1","fd00::1"],"base_port":4800,)"
      R"("shards":1,"cores":[3],"mtu":1500,"link_up":true,"ports":[{"name":"tap:mc0","link":"up","queues":1,)"
      R"("offloads":"","neighbours":2,"rx_frames":40,"tx_frames":39,"rx_missed":1,"rx_errors":2,"tx_errors":3,)"
      R"("rx_no_buffer":4,"ips":["10.0.0.1","fd00::1"]},{"name":"pci:0000:3b:00.0","link":"down","queues":4,)"
      R"("offloads":"IPv4, UDP checksum","neighbours":0,"rx_frames":0,"tx_frames":0,"rx_missed":0,"rx_errors":0,)"
      R"("tx_errors":0,"rx_no_buffer":0,"ips":[]}],"sessions":{"clients":1,"workers":4},)"
      R"("tasks":{"accepted":9,"delivered":8},"degraded":{"cached":1,"skip":0},"shadow":{"accepted":3,"delivered":0},"mirror":{"copied":0},)"
      R"("frames":{"received":40,"sent":39},"drops":{"bad_magic":2},)"
      R"("buffers":{"total":16383,"free":15000}})");
  ASSERT_TRUE(table) << table.error;
  EXPECT_EQ(
      *table.value,
      "mcplane 0.1.0, boot 1a2b3c4d, up 1h 2m\n"
      "  addresses 10.0.0.1, fd00::1; UDP port 4800, MTU 1500, link up\n"
      "  shards    1, on CPU 3\n"
      "  sessions  clients 1, workers 4\n"
      "  tasks     accepted 9, delivered 8\n"
      "  degraded  cached 1, skip 0\n"
      "  shadow    accepted 3, delivered 0\n"
      "  frames    received 40, sent 39\n"
      "  drops     bad_magic 2\n"
      "  buffers   15000 free of 16383\n"
      "\n"
      "PORT              LINK  QUEUES  NEIGHBOURS  RX  TX  LOST  ERRORS  ADDRESSES          OFFLOADS\n"
      "tap:mc0           up    1       2           40  39  5     5       10.0.0.1, fd00::1\n"
      "pci:0000:3b:00.0  down  4       0           0   0   0     0                          IPv4, UDP checksum\n");
}

TEST(NodesTable, ColumnsLineUpAndNamesAreTame) {
  const auto table = nodes_table(
      R"({"nodes":[{"node_id":"00100001","service":"worker","shadow":true,"name":"e\u001b[1m","address":"10.0.0.2:4000","state":"up",)"
      R"("breaker":"half-open","probe":{"asks":"http:9000/health","health":"down","since_ms":61000,"said":"HTTP 503","said_ms":2},)"
      R"("last_seen_ms":12,"age_s":90,"actions":["generate","embed"],"models":[],"tags":["gpu"],"slots":64,)"
      R"("outstanding":3}]})");
  ASSERT_TRUE(table) << table.error;
  EXPECT_EQ(
      *table.value,
      "NODE      SERVICE        NAME   ADDRESS        STATE  BREAKER    PROBE             HEALTH                SEEN   "
      "   AGE     SLOTS  BUSY  ACTIONS          MODELS  TAGS\n"
      "00100001  shadow worker  e?[1m  10.0.0.2:4000  up     half-open  http:9000/health  down 1m 1s, HTTP 503  12ms ag"
      "o  1m 30s  64     3     generate, embed          gpu\n");
  const auto none = nodes_table(R"({"nodes":[]})");
  ASSERT_TRUE(none);
  EXPECT_NE(none.value->find("next: mcplane-worker"), std::string::npos);
}

TEST(AdminTables, OtherBodiesAreErrors) {
  for (const char* body :
       {"", "{", "{}", "[]", R"({"nodes":[{}]})", R"({"nodes":[{"node_id":1}]})", R"({"version":"x"})"}) {
    EXPECT_FALSE(status_table(body)) << body;
    const auto nodes = nodes_table(body);
    EXPECT_FALSE(nodes) << body;
    EXPECT_EQ(nodes.error.find('\n'), std::string::npos) << nodes.error;
  }
}

TEST(DegradationTable, SaysWhatStandsInAndWhy) {
  const auto table = degradation_table(
      R"({"routes":[{"route":"generate","chain":["cached","reply"],"when":"auto","command":null,"degraded":true,)"
      R"("why":"no worker","since_ms":61000},{"route":"embed/e5","chain":["skip"],"when":"never","command":"on",)"
      R"("degraded":false,"why":"","since_ms":null}]})");
  ASSERT_TRUE(table) << table.error;
  EXPECT_EQ(*table.value,
            "ROUTE     CHAIN          WHEN   COMMAND  DEGRADED  SINCE  WHY\n"
            "generate  cached, reply  auto   -        yes       1m 1s  no worker\n"
            "embed/e5  skip           never  on       no        -\n");
  EXPECT_NE(degradation_table(R"({"routes":[]})").value->find("set degrade in a [[route]]"), std::string::npos);
  EXPECT_FALSE(degradation_table(R"({"routes":[{}]})"));
}

TEST(DegradeCommand, ListsOrChangesOneRoute) {
  EXPECT_EQ(degrade_request({}).target, "/v1/degradation");
  DegradeFlags flags;
  flags.route = "generate/llama 3";
  flags.change = "on";
  const Request on = degrade_request(flags);
  EXPECT_EQ(on.method, Method::kPost);
  EXPECT_EQ(on.target, "/v1/degradation/on?route=generate%2Fllama%203");
}

constexpr const char* kBreakers =
    R"({"enabled":true,"breakers":[{"node_id":"00100001","name":"e\u001b[1m","action":"embed","state":"open","mode":"auto",)"
    R"("reason":"failures in a row","since_ms":1500,"retry_in_ms":28500,"openings":2,"outcomes":0,"failures":0,)"
    R"("in_a_row":0,"probes_given":0},{"node_id":"00100002","name":"w","action":"","state":"closed","mode":"forced-closed",)"
    R"("reason":"","since_ms":0,"retry_in_ms":0,"openings":0,"outcomes":100,"failures":7,"in_a_row":1,)"
    R"("probes_given":0}]})";

TEST(BreakerTable, SaysWhoIsOutAndWhy) {
  const auto table = breaker_table(kBreakers);
  ASSERT_TRUE(table) << table.error;
  EXPECT_EQ(*table.value,
            "NODE      NAME   ACTION  BREAKER  MODE           FAILED  IN A ROW  OPENINGS  RETRY IN  REASON\n"
            "00100001  e?[1m  embed   open     auto           0/0     0         2         28.5s     failures in a row\n"
            "00100002  w      all     closed   forced-closed  7/100   1         0         -\n");
  const auto off = breaker_table(R"({"enabled":false,"breakers":[]})");
  ASSERT_TRUE(off);
  EXPECT_EQ(*off.value, "breakers are off\nno worker takes tasks\n");
  EXPECT_FALSE(breaker_table(R"({"enabled":true,"breakers":[{}]})"));
}

TEST(AutoscaleTable, SaysHowManyAreWanted) {
  const auto table = autoscale_table(
      R"({"pools":[{"actions":["embed","gen\u001b"],"models":["llama"],"tags":[],"workers":4,"ready":3,"slots":16,)"
      R"("in_flight":12,"queued":6,"utilisation":1.5,"recommended":6,"desired":7}]})");
  ASSERT_TRUE(table) << table.error;
  EXPECT_EQ(*table.value,
            "ACTIONS      MODELS  TAGS  READY  SLOTS  IN FLIGHT  QUEUED  USED  NOW  DESIRED\n"
            "embed, gen?  llama   -     3/4    16     12         6       150%  6    7\n");
  EXPECT_NE(autoscale_table(R"({"pools":[]})").value->find("mcplane-worker"), std::string::npos);
  EXPECT_FALSE(autoscale_table(R"({"pools":[{}]})"));
}

TEST(BreakerFlags, WhatIsNoNodeIsRefused) {
  const auto parse = [](std::vector<std::string> words) {
    CLI::App program;
    BreakerFlags flags;
    add_breaker_flags(program, flags);
    std::ranges::reverse(words);
    try {
      program.parse(words);
    } catch (const CLI::ParseError&) {
      return std::string("refused");
    }
    return breaker_request(flags).target;
  };
  EXPECT_EQ(parse({}), "/v1/breakers");
  EXPECT_EQ(parse({"list"}), "/v1/breakers");
  EXPECT_EQ(parse({"force-open", "0010ABcd"}), "/v1/breakers/0010abcd/force-open");
  EXPECT_EQ(parse({"force-closed", "00100001"}), "/v1/breakers/00100001/force-closed");
  EXPECT_EQ(parse({"auto", "00100001"}), "/v1/breakers/00100001/auto");
  EXPECT_EQ(parse({"auto", "00100001", "sum up&x"}), "/v1/breakers/00100001/auto?action=sum%20up%26x");
  for (const char* node : {"", "worker", "0010000", "001000011", "0010000g"})
    EXPECT_EQ(parse({"auto", node}), "refused") << node;
  EXPECT_EQ(parse({"force-open"}), "refused");
}

constexpr const char* kPerf =
    R"({"on":true,"tsc_hz":2000000000,"cores":[{"shard":1,"loops":610,"sampled_loops":10,"busy_ratio":0.256,"frames":200,)"
    R"("tasks":80,"cycles_per_frame":{"rx":50.0,"dispatch":150.5},"cycles_per_task":501.2,"cycles_per_loop":4410.0,)"
    R"("idle_cycles_percent":9.0}],"residence_ns":{"route":{"count":99,"p50":700,"p90":900,"p99":1500,"p999":2000,)"
    R"("max":21000},"deliver":{"count":98,"p50":600,"p90":800,"p99":1400,"p999":1900,"max":20000}}})";

TEST(PerfTable, SaysWhereCyclesGoAndHowLongFramesStay) {
  const auto table = perf_table(kPerf);
  ASSERT_TRUE(table) << table.error;
  for (const std::string_view line :
       {"shard 1: busy 25.6 %; measured 10 of 610 loops, 200 frames in, 80 tasks; a loop takes 4410 cycles, 9.0 % of "
        "them go to idle ones\n",
        "STATION   CYCLES/FRAME  CYCLES/TASK  PERCENT\n", "rx        50.0          125          24.9\n",
        "dispatch  150.5         376          75.1\n", "all       200.5         501          100.0\n",
        "SEND to ROUTE      99     0.7  0.9  1.5  2.0    21.0\n",
        "RESULT to DELIVER  98     0.6  0.8  1.4  1.9    20.0\n"})
    EXPECT_NE(table.value->find(line), std::string::npos) << line << *table.value;
}

TEST(PerfTable, SaysWhatToDoWhenThereIsNothing) {
  const auto off = perf_table(R"({"on":false,"tsc_hz":1,"cores":[],"residence_ns":{}})");
  ASSERT_TRUE(off);
  EXPECT_EQ(*off.value, "off; next: mcplane-ctl perf --on, some load, mcplane-ctl perf\n");
  const auto on = perf_table(R"({"on":true,"tsc_hz":1,"cores":[],"residence_ns":{}})");
  ASSERT_TRUE(on);
  EXPECT_EQ(*on.value, "measuring; nothing yet\n");
  EXPECT_FALSE(perf_table(R"({"on":true,"cores":[{}]})"));
  EXPECT_FALSE(perf_table("no JSON"));
}

}  // namespace
}  // namespace mcplane::app
