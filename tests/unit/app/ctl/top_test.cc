// mcplane-ctl top without a terminal: rates between two looks, rows, their order, and the picture at any size.
#include <curses.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "app/ctl/top/metrics.h"
#include "app/ctl/top/model.h"
#include "app/ctl/top/picture.h"
#include "app/ctl/top/top.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

Json info_json(std::uint64_t tasks, const std::string& boot = "00b0071d") {
  const Json counts = {{"accepted", tasks},   {"delivered", tasks}, {"rejected", tasks / 10}, {"expired_unrouted", 0},
                       {"expired_routed", 0}, {"worker_lost", 0},   {"client_lost", 0},       {"rejected_late", 0},
                       {"queued", 3},         {"routed", 1},        {"running", 2},           {"pulling", 0},
                       {"delivering", 4},     {"rejecting", 0},     {"cancelling", 0}};
  const Json core = {{"cpu", 1}, {"accepted", tasks}, {"busy_ms", tasks / 2}};
  return {{"version", "0.1.0"},
          {"boot_id", boot},
          {"ips", {"10.0.0.1"}},
          {"base_port", 4800},
          {"uptime_s", 65},
          {"link_up", true},
          {"sessions", {{"clients", 2}, {"workers", 2}}},
          {"tasks", counts},
          {"degraded", {{"cached", 0}}},
          {"frames", {{"received", 4 * tasks}}},
          {"drops", Json::object()},
          {"buffers", {{"total", 16'384}, {"free", 16'000}}},
          {"per_shard", {core}}};
}

Json node_json(const std::string& id, const std::string& name, std::uint64_t done, std::uint64_t failed = 0,
               const std::string& breaker = "closed", std::uint64_t busy = 2) {
  return {{"node_id", id},       {"service", "worker"},     {"name", name},        {"state", "up"},
          {"breaker", breaker},  {"actions", {"generate"}}, {"models", {"llama"}}, {"slots", 4},
          {"outstanding", busy}, {"last_seen_ms", 20},      {"done", done},        {"failed", failed}};
}

Json nodes_json(std::vector<Json> nodes) { return {{"nodes", std::move(nodes)}}; }

TopModel two_looks() {
  TopModel model;
  model.add({1, info_json(1'000), nodes_json({node_json("00100001", "ann", 100), node_json("00100002", "bob", 100)})});
  model.add({3, info_json(3'000),
             nodes_json({node_json("00100001", "ann", 500, 20, "closed", 1),
                         node_json("00100002", "bob", 1'100, 0, "open", 4)})});
  return model;
}

std::string text_of(const TopLine& line) {
  return std::accumulate(line.begin(), line.end(), std::string(),
                         [](std::string all, const TopSpan& span) { return std::move(all) + span.text; });
}

std::vector<std::string> texts(const TopModel& model, const TopView& view) {
  std::vector<std::string> lines;
  for (const TopLine& line : picture(model, view)) lines.push_back(text_of(line));
  return lines;
}

TEST(TopModel, RatesAreOfTheTimeBetweenTwoLooks) {
  const TopModel model = two_looks();
  EXPECT_EQ(model.totals().accepted_per_s, 1'000);
  EXPECT_EQ(model.totals().refused_per_s, 100);
  EXPECT_EQ(model.totals().frames_per_s, 4'000);
  EXPECT_EQ(model.totals().queued, 3U);
  EXPECT_EQ(model.totals().at_workers, 3U);
  ASSERT_EQ(model.cores().size(), 1U);
  EXPECT_EQ(model.cores()[0].busy, 0.5);
  ASSERT_EQ(model.workers().size(), 2U);
  EXPECT_EQ(model.workers()[0].tasks_per_s, 200);
  EXPECT_EQ(model.workers()[0].errors_per_s, 10);
  EXPECT_EQ(model.workers()[1].tasks_per_s, 500);
  EXPECT_EQ(model.workers()[1].load(), 1);
}

TEST(TopModel, OneLookHasNoRates) {
  TopModel model;
  model.add({1, info_json(1'000), nodes_json({node_json("00100001", "ann", 100)})});
  EXPECT_EQ(model.totals().accepted_per_s, 0);
  EXPECT_EQ(model.workers()[0].tasks_per_s, 0);
}

TEST(TopModel, WhoIsGoneIsShownForAWhile) {
  TopModel model = two_looks();
  model.add({4, info_json(4'000), nodes_json({node_json("00100001", "ann", 600)})});
  ASSERT_EQ(model.workers().size(), 2U);
  EXPECT_TRUE(model.workers()[1].gone);
  EXPECT_EQ(model.workers()[1].name, "bob");
  model.add({13, info_json(4'000), nodes_json({node_json("00100001", "ann", 600)})});
  EXPECT_EQ(model.workers().size(), 2U);
  model.add({15, info_json(4'000), nodes_json({node_json("00100001", "ann", 600)})});
  EXPECT_EQ(model.workers().size(), 1U);
}

TEST(TopModel, AnApplianceThatWasStartedAgainBeginsAfresh) {
  TopModel model = two_looks();
  model.add({4, info_json(10, "00000002"), nodes_json({})});
  EXPECT_EQ(model.totals().accepted_per_s, 0);
  EXPECT_TRUE(model.workers().empty());
  EXPECT_THROW(model.add({5, Json::object(), Json::object()}), Json::exception);
}

constexpr const char* kBefore =
    "# HELP mcplane_task_duration_seconds x\n"
    "mcplane_task_duration_seconds_bucket{le=\"0.001\"} 5\n"
    "mcplane_task_duration_seconds_bucket{le=\"0.002\"} 5\n"
    "mcplane_task_duration_seconds_bucket{le=\"+Inf\"} 5\n";
constexpr const char* kNow =
    "mcplane_task_duration_seconds_bucket{le=\"0.001\"} 55\n"
    "mcplane_task_duration_seconds_bucket{le=\"0.002\"} 105\n"
    "mcplane_task_duration_seconds_bucket{le=\"+Inf\"} 105\n"
    "mcplane_task_duration_seconds_sum 7\n";

TEST(TopMetrics, TimesOfTasksBetweenTwoLooks) {
  TopModel model;
  model.add({1, info_json(1'000), nodes_json({}), kBefore});
  model.add({3, info_json(3'000), nodes_json({}), kNow});
  ASSERT_TRUE(model.totals().p50_s);
  EXPECT_DOUBLE_EQ(*model.totals().p50_s, 0.001);
  EXPECT_DOUBLE_EQ(*model.totals().p99_s, 0.00198);
  EXPECT_EQ(texts(model, {.rows = 24, .columns = 100})[3].substr(0, 35), "times    p50     1ms  p99  1.98ms  ");
  EXPECT_FALSE(quantile_between(kNow, kNow, "mcplane_task_duration_seconds", 0.5)) << "nothing ended";
  EXPECT_FALSE(quantile_between("", "", "mcplane_task_duration_seconds", 0.5));
}

TEST(TopMetrics, SamplesOfOneFamilyWithTheirLabels) {
  const char* const text = "a 1\na_total{x=\"1\",yx=\"2\"} 3.5\na_total 4\n# a_total 5\n";
  const auto samples = samples_of(text, "a_total");
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[0].value, 3.5);
  EXPECT_EQ(label_of(samples[0].labels, "x"), "1");
  EXPECT_EQ(label_of(samples[0].labels, "yx"), "2");
  EXPECT_EQ(label_of(samples[0].labels, "y"), "");
  EXPECT_EQ(samples_of(text, "a").size(), 1U);
}

TEST(TopSorting, TheMostComesFirstAndTroubleBeforeCalm) {
  std::vector<TopWorker> workers = two_looks().workers();
  const auto first = [&](TopSort by, bool reverse = false) {
    sort_workers(workers, by, reverse);
    return workers.front().name;
  };
  EXPECT_EQ(first(TopSort::kName), "ann");
  EXPECT_EQ(first(TopSort::kName, true), "bob");
  EXPECT_EQ(first(TopSort::kBreaker), "bob");
  EXPECT_EQ(first(TopSort::kLoad), "bob");
  EXPECT_EQ(first(TopSort::kTasks), "bob");
  EXPECT_EQ(first(TopSort::kErrors), "ann");
  EXPECT_EQ(first(TopSort::kErrors, true), "bob");
}

TEST(TopFigures, AreShort) {
  for (const auto& [rate, text] :
       {std::pair{0.0, "0"}, std::pair{12.34, "12.3"}, std::pair{999.4, "999"}, std::pair{1'234.0, "1,234"},
        std::pair{9'999.6, "10.0k"}, std::pair{123'456.0, "123k"}, std::pair{999'960.0, "1.00M"},
        std::pair{3'210'000.0, "3.21M"}})
    EXPECT_EQ(rate_text(rate), text);
}

TEST(TopPicture, ShowsTotalsCoresAndWorkers) {
  const auto lines = texts(two_looks(), {.rows = 24, .columns = 100});
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  for (const char* const part :
       {"mcplane 0.1.0", "10.0.0.1 port 4800", "up 1m 5s", "accepted  1,000", "refused   100", "waiting       3",
        "core 0", " 50 % busy", "ann", "00100002", "open", "4/4", "500", "██████████", "generate/llama", "q quit"})
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
}

TEST(TopPicture, IsWholeOn80Columns) {
  const auto lines = texts(two_looks(), {.rows = 24, .columns = 80});
  EXPECT_NE(lines[1].find("stood in    0"), std::string::npos) << lines[1];
  EXPECT_NE(lines[3].find("drops/s     0"), std::string::npos) << lines[3];
  EXPECT_NE(lines.back().find("r reverse"), std::string::npos) << lines.back();
}

TEST(TopPicture, FitsEveryTerminal) {
  TopModel model;
  std::vector<Json> nodes;
  for (int i = 0; i < 50; ++i)
    nodes.push_back(node_json("0010" + std::to_string(1'000 + i), "worker-with-a-long-name", 1));
  model.add({1, info_json(1'000), nodes_json(nodes)});
  for (int rows = 1; rows <= 60; ++rows)
    for (int columns = 1; columns <= 200; columns += 7) {
      const auto lines = texts(model, {.rows = rows, .columns = columns});
      EXPECT_LE(lines.size(), static_cast<std::size_t>(rows));
      for (const std::string& line : lines) EXPECT_LE(width_of(line), static_cast<std::size_t>(columns));
    }
}

TEST(TopPicture, BarsWithoutUtf8AreOfAscii) {
  for (const std::string& line : texts(two_looks(), {.rows = 24, .columns = 100, .blocks = false}))
    EXPECT_EQ(width_of(line), line.size()) << line;
}

TEST(TopPicture, ScrollsAndSaysWhereItIs) {
  TopModel model;
  std::vector<Json> nodes;
  for (int i = 0; i < 50; ++i)
    nodes.push_back(node_json("0010" + std::to_string(1'000 + i), "w" + std::to_string(100 + i), 1));
  model.add({1, info_json(1'000), nodes_json(nodes)});
  const TopView view{.rows = 16, .columns = 100, .scroll = 10};
  const auto lines = texts(model, view);
  EXPECT_EQ(lines[7].substr(0, 4), "w110");
  const std::size_t page = worker_rows(model, view);
  EXPECT_EQ(lines.back().substr(0, 11), "11-" + std::to_string(10 + page) + " of 50");
}

TEST(TopKeys, SortReverseScrollPauseAndQuit) {
  TopView view;
  EXPECT_TRUE(on_key('t', view, 10));
  EXPECT_EQ(view.sort, TopSort::kTasks);
  EXPECT_FALSE(view.reverse);
  EXPECT_TRUE(on_key('t', view, 10));
  EXPECT_TRUE(view.reverse) << "the same key again turns it round";
  EXPECT_TRUE(on_key('e', view, 10));
  EXPECT_FALSE(view.reverse);
  on_key(KEY_NPAGE, view, 10);
  on_key(KEY_DOWN, view, 10);
  EXPECT_EQ(view.scroll, 11U);
  on_key(KEY_PPAGE, view, 10);
  on_key(KEY_UP, view, 10);
  on_key(KEY_UP, view, 10);
  EXPECT_EQ(view.scroll, 0U);
  on_key(' ', view, 10);
  EXPECT_TRUE(view.paused);
  EXPECT_TRUE(on_key('x', view, 10));
  EXPECT_FALSE(on_key('q', view, 10));
}

}  // namespace
}  // namespace mcplane::app
