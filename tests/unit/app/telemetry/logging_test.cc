// Lines of logs in their three forms, files that are opened anew, and the audit log.
#include "app/telemetry/logging.h"

#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "app/appliance/audit_log.h"

namespace mcplane::app {
namespace {

using nlohmann::json;

constexpr const char* kTrace = "0af7651916cd43dd8448eb211c80319c";

LogLine line(std::string_view text) {
  const std::chrono::milliseconds since(1'764'212'640'007);
  return {std::chrono::system_clock::time_point(since), "warning", "mcplane", text};
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string fresh_path(const char* name) {
  std::string path = ::testing::TempDir() + "/" + name;
  std::filesystem::remove(path);
  return path;
}

TEST(LogLine, AsText) {
  EXPECT_EQ(log_line(LogFormat::kText, line("link is down")), "2025-11-27T03:04:00.007Z warning mcplane: link is down");
  EXPECT_EQ(log_line(LogFormat::kText, line(std::string("gone trace_id=") + kTrace)),
            "2025-11-27T03:04:00.007Z warning mcplane: gone trace_id=0af7651916cd43dd8448eb211c80319c");
}

TEST(LogLine, AsJson) {
  EXPECT_EQ(log_line(LogFormat::kJson, line("says \"no\"")),
            R"({"time":"2025-11-27T03:04:00.007Z","level":"warning","service":"mcplane","message":"says \"no\""})");
  const json traced = json::parse(log_line(LogFormat::kJson, line(std::string("gone trace_id=") + kTrace)));
  EXPECT_EQ(traced["message"], "gone");
  EXPECT_EQ(traced["trace_id"], kTrace);
  EXPECT_EQ(json::parse(log_line(LogFormat::kJson, line("a trace_id=0af7")))["message"], "a trace_id=0af7");
}

// https://www.elastic.co/guide/en/ecs-logging/overview/current/intro.html: these first, in this order.
TEST(LogLine, ByTheElasticCommonSchema) {
  EXPECT_EQ(log_line(LogFormat::kEcs, line(std::string("gone trace_id=") + kTrace)),
            R"({"@timestamp":"2025-11-27T03:04:00.007Z","log.level":"warning","message":"gone","ecs.version":"8.11.0",)"
            R"("service.name":"mcplane","trace.id":"0af7651916cd43dd8448eb211c80319c"})");
}

TEST(LogLine, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(json::parse(log_line(LogFormat::kJson, line("'\xff'")))["message"], "'\xef\xbf\xbd'");
}

TEST(Logging, WritesItsLevelAndAboveToAFileThatCanBeOpenedAnew) {
  const std::string path = fresh_path("mcplane.log"), moved = path + ".1";
  Logging log({.format = LogFormat::kJson, .level = LogLevel::kWarning, .file = path}, "test");
  log.debug("not this");
  log.warning("this");
  std::filesystem::rename(path, moved);
  log.warning("still there");
  log.reopen();
  log.logger()->error("anew");
  EXPECT_EQ(json::parse(content(path))["message"], "anew");
  EXPECT_EQ(json::parse(content(path))["level"], "error");
  const std::string before = content(moved);
  EXPECT_EQ(before.find("not this"), std::string::npos);
  EXPECT_NE(before.find("\"this\""), std::string::npos);
  EXPECT_NE(before.find("still there"), std::string::npos);
}

TEST(Logging, AFileThatCannotBeWrittenIsOneLine) {
  EXPECT_THROW(Logging({.file = "/nowhere/at/all"}, "test"), std::runtime_error);
}

TEST(AuditLog, ALineAChange) {
  const std::string path = fresh_path("audit.log");
  {
    AuditLog audit(path);
    audit.write({"ada", "/v1/config/apply", "by=ada&origin=/etc/mcplane.toml", 200});
    audit.write({"", "/v1/perf/on", "", 503});
    audit.write({"", "SIGHUP", "/etc/mcplane.toml", 0});
  }
  std::istringstream lines(content(path));
  std::string first, second, third, more;
  ASSERT_TRUE(std::getline(lines, first) && std::getline(lines, second) && std::getline(lines, third));
  EXPECT_FALSE(std::getline(lines, more));
  json entry = json::parse(first);
  EXPECT_EQ(entry["time"].get<std::string>().size(), std::string("2025-11-27T03:04:00.007Z").size());
  entry.erase("time");
  EXPECT_EQ(entry, json({{"user", "ada"},
                         {"command", "/v1/config/apply"},
                         {"arguments", "by=ada&origin=/etc/mcplane.toml"},
                         {"result", 200}}));
  EXPECT_EQ(json::parse(second)["result"], 503);
  EXPECT_FALSE(json::parse(third).contains("result"));
}

}  // namespace
}  // namespace mcplane::app
