// The page and the percentile distribution: complete in themselves, escaped, and true to the histogram.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "loadgen/report.h"
#include "loadgen/svg_chart.h"

namespace mcplane::loadgen {
namespace {

Options drawn_options() {
  Options options;
  options.broker = {wire::IpAddress::v4({10, 0, 0, 1}), 4'800};
  options.rate_per_second = 1'000;
  return options;
}

RunResult drawn_run() {
  RunResult result;
  result.tally.sent = 3'000;
  result.tally.endings[static_cast<std::size_t>(Ending::kDelivered)] = 3'000;
  result.tally.measured = 3'000;
  result.tally.measured_ns = 3 * kNsPerSecond;
  for (std::uint64_t i = 1; i <= 3'000; ++i) result.tally.latency.record(i * 1'000);
  for (std::uint64_t i = 0; i < 3; ++i)
    result.tally.intervals.push_back({.from_ns = i * kNsPerSecond,
                                      .length_ns = kNsPerSecond,
                                      .sent = 1'000,
                                      .delivered = 1'000,
                                      .p50_ns = 500'000,
                                      .p99_ns = 900'000,
                                      .p999_ns = 990'000,
                                      .max_ns = 1'000'000,
                                      .measured = true});
  return result;
}

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Html, HasAPictureForEachQuestionAndLoadsNothing) {
  const std::string page = html_of(drawn_options(), drawn_run(), "mcplane-load --rate 1k/s");
  EXPECT_EQ(count_of(page, "<svg "), 3U);
  EXPECT_EQ(count_of(page, "</svg>"), 3U);
  for (const char* outside : {"http", "src=", "href=", "url(", "@import", "<script"})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  EXPECT_NE(page.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_NE(page.find("<td>sent</td><td>3000</td>"), std::string::npos);
}

TEST(Html, ShowsASweepAgainstItsOfferedLoad) {
  RunResult result = drawn_run();
  result.sweep = {{.rate_per_second = 1'000,
                   .offered_per_second = 1'000,
                   .achieved_per_second = 1'000,
                   .p50_ns = 100'000,
                   .p99_ns = 200'000,
                   .p999_ns = 300'000,
                   .kept = true},
                  {.rate_per_second = 2'000,
                   .offered_per_second = 2'000,
                   .achieved_per_second = 1'500,
                   .p50_ns = 100'000,
                   .p99_ns = 9'000'000,
                   .p999_ns = 9'000'000}};
  result.knee_per_second = 1'000;
  Options options = drawn_options();
  options.sweep = SweepRange{1'000, 2'000};
  const std::string page = html_of(options, result, "mcplane-load --sweep 1k/s..2k/s");
  EXPECT_EQ(count_of(page, "<svg "), 5U);
  EXPECT_EQ(count_of(page, "knee 1k/s"), 2U);
  EXPECT_NE(page.find("<td>2000</td><td>1500</td>"), std::string::npos);
}

TEST(Html, EscapesWhatSomebodyTyped) {
  const std::string page = html_of(drawn_options(), drawn_run(), "mcplane-load --action <script>\"&");
  EXPECT_NE(page.find("&lt;script&gt;&quot;&amp;"), std::string::npos);
}

TEST(Html, ARunWithoutAnAnswerStillHasAPage) {
  const std::string page = html_of(drawn_options(), RunResult{}, "mcplane-load");
  EXPECT_EQ(count_of(page, "<svg "), 0U);
  EXPECT_NE(page.find("</html>"), std::string::npos);
}

TEST(SvgChart, AxesHaveRoundTicks) {
  const auto plain = [](double value) { return std::to_string(value); };
  EXPECT_EQ(Axis::from_zero("", 95, plain).high, 100);
  EXPECT_EQ(Axis::from_zero("", 0, plain).low, 0);
  const Axis decades = Axis::decades("", 12, 3'400, plain);
  EXPECT_NEAR(decades.low, 10, 1e-9);
  EXPECT_NEAR(decades.high, 10'000, 1e-6);
  EXPECT_EQ(decades.ticks().size(), 4U);
  EXPECT_NEAR(decades.share_of(100), 1.0 / 3, 1e-9);
  EXPECT_EQ(decades.share_of(1), 0);
}

struct Line {
  double value = 0, percentile = 0;
  std::uint64_t count = 0;
};

std::vector<Line> lines_of(const std::string& text) {
  std::vector<Line> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    Line read;
    unsigned long long count = 0;
    if (std::sscanf(line.c_str(), "%lf %lf %llu", &read.value, &read.percentile, &count) != 3) continue;
    read.count = count;
    lines.push_back(read);
  }
  return lines;
}

TEST(Hgrm, RisesToEverythingAndAgreesWithTheHistogram) {
  const Histogram histogram = drawn_run().tally.latency;
  const std::string text = hgrm_of(histogram);
  const std::vector<Line> lines = lines_of(text);
  ASSERT_GT(lines.size(), 20U);
  EXPECT_LT(lines.size(), 100U);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    EXPECT_GE(lines[i].value, lines[i - 1].value);
    EXPECT_GT(lines[i].count, lines[i - 1].count);
    EXPECT_NEAR(lines[i].value * 1e3, static_cast<double>(histogram.percentile(100 * lines[i].percentile - 1e-6)), 1e3);
  }
  EXPECT_EQ(lines.back().count, 3'000U);
  EXPECT_EQ(lines.back().percentile, 1.0);
  EXPECT_EQ(lines.back().value, 3'000.0);
  EXPECT_EQ(text.find("       Value"), 0U);
  EXPECT_NE(text.find("#[Mean    =     1500.500, StdDeviation   ="), std::string::npos) << text;
  EXPECT_NE(text.find("#[Max     =     3000.000, Total count    =         3000]"), std::string::npos);
}

TEST(Hgrm, AnEmptyHistogramHasItsSummary) {
  EXPECT_TRUE(lines_of(hgrm_of(Histogram())).empty());
  EXPECT_NE(hgrm_of(Histogram()).find("Total count    =            0"), std::string::npos);
}

}  // namespace
}  // namespace mcplane::loadgen
