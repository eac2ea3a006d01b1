// One task's path out of trace files and logs.
#include "app/ctl/trace.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/telemetry/otlp.h"

namespace mcplane::app {
namespace {

constexpr const char* kTrace = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
constexpr std::uint64_t kTraceStart = 1'764'212'640'000'000'000;

Span span(std::uint8_t id, std::uint8_t parent, const char* name, std::uint64_t from_ms, std::uint64_t to_ms) {
  Span made;
  made.trace_id.fill(0xaa);
  made.span_id.fill(id);
  if (parent != 0) made.parent_id.fill(parent);
  made.name = name;
  made.start_unix_ns = kTraceStart + from_ms * 1'000'000;
  made.end_unix_ns = kTraceStart + to_ms * 1'000'000;
  return made;
}

std::string request(const char* service, std::initializer_list<Span> spans) {
  return otlp_request({spans.begin(), spans.size()}, {service, "1", ""}) + "\n";
}

TraceFound found_in(const std::string& text, TraceFound found = {}) {
  std::istringstream lines(text);
  read_trace(lines, "file", kTrace, found);
  return found;
}

TEST(CtlTrace, PutsTheSpansOfAllFilesUnderTheirParents) {
  Span work = span(3, 2, "process generate", 2, 4);
  work.error = "worker_error";
  work.attributes = {{"messaging.message.id", std::string("t1")}, {"mcplane.attempt", std::int64_t{1}}};
  Span other = span(9, 0, "send other", 0, 1);
  other.trace_id.fill(0xbb);
  TraceFound found = found_in(request("mcplane-worker", {work, other}));
  found = found_in(request("mcplane", {span(2, 1, "receive generate", 1, 5)}), found);
  found = found_in(request("mcplane-ctl", {span(1, 0, "send generate", 0, 6)}), found);
  EXPECT_EQ(trace_text(found),
            "   START, ms     TOOK, ms  SPAN  SERVICE\n"
            "       0.000        6.000  send generate  mcplane-ctl\n"
            "       1.000        4.000    receive generate  mcplane\n"
            "       2.000        2.000      process generate  mcplane-worker ERROR worker_error message.id=t1 "
            "mcplane.attempt=1\n");
}

TEST(CtlTrace, ASpanWhoseParentIsInNoFileStandsByItself) {
  const TraceFound found = found_in(request("mcplane", {span(2, 1, "receive generate", 1, 5)}));
  EXPECT_NE(trace_text(found).find("       0.000        4.000  receive generate  mcplane\n"), std::string::npos);
}

TEST(CtlTrace, ASpanThatIsThereTwiceIsShownOnce) {
  const std::string text = request("mcplane", {span(2, 0, "receive generate", 1, 5)});
  EXPECT_EQ(found_in(text + text).spans.size(), 1U);
}

TEST(CtlTrace, LinesOfLogsThatNameItFollow) {
  const TraceFound found = found_in(std::string("2025-11-27T03:04:00.007Z debug mcplane: task 1: expired trace_id=") +
                                    kTrace + "\nnothing of it\n");
  EXPECT_EQ(trace_text(found),
            std::string("file: 2025-11-27T03:04:00.007Z debug mcplane: task 1: expired trace_id=") + kTrace + "\n");
}

TEST(CtlTrace, WhatIsCutOffIsCounted) {
  std::string text = request("mcplane", {span(2, 0, "receive generate", 1, 5)});
  const TraceFound found = found_in(text.substr(0, text.size() - 10) + "\n" + text);
  EXPECT_EQ(found.spans.size(), 1U);
  EXPECT_EQ(found.broken, 1U);
  EXPECT_EQ(found_in(std::string(R"({"resourceSpans":[{"scopeSpans":1}],"is":")") + kTrace + "\"}\n").broken, 1U);
}

TEST(CtlTrace, ParentsInACircleEnd) {
  const TraceFound found =
      found_in(request("m", {span(1, 2, "a", 0, 1), span(2, 1, "b", 0, 1), span(3, 3, "c", 0, 1)}));
  EXPECT_EQ(found.spans.size(), 3U);
  EXPECT_LT(trace_text(found).size(), 10'000U);
}

class UsualFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "mcplane-traces-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = std::filesystem::canonical(name);
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    ::unsetenv("MCPLANE_TRACE_FILE");
  }
  std::string file(const std::string& name) {
    std::ofstream(folder_ / name) << "\n";
    return folder_ / name;
  }
  // As GET /v1/config says it.
  static std::string config_of(const std::string& trace_file, const std::string& log_file) {
    return nlohmann::json{{"values",
                           {{{"key", "appliance.trace-file"}, {"value", trace_file}},
                            {{"key", "appliance.log-file"}, {"value", log_file}},
                            {{"key", "appliance.dump-file"}, {"value", "/etc/passwd"}}}}}
        .dump();
  }

  std::filesystem::path folder_;
};

TEST_F(UsualFiles, AreTheAppliancesThoseOfTheEnvironmentAndTheFoldersEachOnce) {
  const std::string spans = file("spans"), own = file("own");
  std::filesystem::create_directory(folder_ / "log");
  const std::string log = file("log/mcplane.log"), worker = file("log/worker.log");
  file("log/mcplane.log.2.gz");
  ::setenv("MCPLANE_TRACE_FILE", own.c_str(), 1);
  EXPECT_EQ(usual_files(config_of(spans, log), folder_ / "log"), (std::vector<std::string>{spans, log, own, worker}));
}

TEST_F(UsualFiles, AreNoneWhereNothingIs) {
  EXPECT_TRUE(usual_files("", folder_ / "absent").empty());
  EXPECT_TRUE(usual_files(config_of("", folder_ / "gone"), folder_).empty());
  EXPECT_TRUE(usual_files("no JSON", folder_).empty());
}

TEST(CtlTrace, TheSameForPrograms) {
  const TraceFound found = found_in(request("mcplane", {span(2, 1, "receive generate", 1, 5)}));
  const auto json = nlohmann::json::parse(trace_json(found, kTrace));
  EXPECT_EQ(json["trace_id"], kTrace);
  ASSERT_EQ(json["spans"].size(), 1U);
  EXPECT_EQ(json["spans"][0]["service"], "mcplane");
  EXPECT_EQ(json["spans"][0]["parent_span_id"], "0101010101010101");
  EXPECT_EQ(json["spans"][0]["start_unix_ns"], kTraceStart + 1'000'000);
}

}  // namespace
}  // namespace mcplane::app
