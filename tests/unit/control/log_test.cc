// The log's rate limit.
#include "control/log.h"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <sstream>

#include "control_fixture.h"

namespace mcplane::control {
namespace {

class Captured {
 public:
  Captured()
      : logger_(std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(out_))) {
    logger_->set_pattern("%v");
  }
  std::shared_ptr<spdlog::logger> logger() const { return logger_; }
  std::string text() const { return out_.str(); }
  long lines() const {
    const std::string written = text();
    return std::count(written.begin(), written.end(), '\n');
  }

 private:
  std::ostringstream out_;
  std::shared_ptr<spdlog::logger> logger_;
};

TEST(Log, HoldsBackMoreThanItsRateAndSaysSo) {
  Captured captured;
  Log log(captured.logger());
  for (int i = 0; i < 250; ++i) log.info(5 * kNsPerSecond, "line {}", i);
  EXPECT_EQ(captured.lines(), Log::kLinesPerSecond);
  log.info(6 * kNsPerSecond, "later");
  EXPECT_EQ(captured.lines(), Log::kLinesPerSecond + 2);
  EXPECT_NE(captured.text().find("150 lines held back\nlater\n"), std::string::npos);
}

TEST(Log, WithoutALoggerIsSilent) {
  Log log(nullptr);
  log.info(1, "line {}", 1);
  log.debug(1, "line {}", 1);
}

TEST_F(ControlTest, LogsALifeInThreeLines) {
  Captured captured;
  options.logger = captured.logger();
  start();
  const HelloSpec hello = worker_hello();
  const SessionId id = join_worker(hello);
  punt_bye(id, hello.peer);
  run(10);
  const std::string text = captured.text();
  EXPECT_EQ(captured.lines(), 3) << text;
  const auto registered = text.find("registered worker 'gpu' at 10.0.0.2:40000");
  const auto draining = text.find("draining worker 'gpu'"), drained = text.find(": drained");
  EXPECT_LT(registered, draining) << text;
  EXPECT_LT(draining, drained) << text;
  EXPECT_NE(drained, std::string::npos) << text;
}

TEST_F(ControlTest, LogsAPortThatGoesAndComes) {
  Captured captured;
  options.logger = captured.logger();
  options.logger->set_pattern("%l: %v");
  start();
  EXPECT_EQ(captured.text(), "");
  link_up[0] = false;
  run(50);
  EXPECT_EQ(captured.text(), "warning: port 0: link is down; nobody behind it is evicted meanwhile\n");
  link_up[0] = true;
  run(50);
  EXPECT_NE(captured.text().find("\ninfo: port 0: link is up\n"), std::string::npos) << captured.text();
  EXPECT_EQ(captured.lines(), 2);
}

}  // namespace
}  // namespace mcplane::control
