// Flag, environment, file, default: who wins, what is told of it; and that what README says of keys is so.
#include "app/config/source.h"

#include <gtest/gtest.h>

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "app/config/help.h"

namespace mcplane::app {
namespace {

constexpr const char* kFile =
    "[appliance]\nport = \"tap:file\"\nip = \"10.0.0.1/24\"\nmtu = 1400\nrx-burst = 8\n[breaker]\nwindow = 50\n";

class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

ApplianceReading read(std::vector<std::string> typed, const std::string& text = kFile) {
  typed.insert(typed.begin(), "mcplane");
  return read_appliance(typed, text, "f");
}

std::string value_of(const ApplianceReading& reading, const std::string& key) {
  const auto& values = reading.config.document.values;
  const auto found = std::ranges::find(values, key, &control::ConfigValue::key);
  return found == values.end() ? "?" : found->value + " @" + found->origin;
}

std::string slurp(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ConfigSource, FileWinsOverDefault) {
  const ApplianceReading reading = read({});
  ASSERT_FALSE(reading.stop) << reading.stop->text;
  EXPECT_EQ(reading.config.mtu, 1'400);
  EXPECT_EQ(reading.config.rx_burst, 8);
  EXPECT_EQ(reading.config.rx_descriptors, 1'024);
  EXPECT_EQ(reading.config.document.settings->breaker.window, 50U);
  EXPECT_EQ(value_of(reading, "appliance.mtu"), "1400 @f:4");
  EXPECT_EQ(value_of(reading, "appliance.port"), "tap:file @f:2");
  EXPECT_EQ(value_of(reading, "appliance.ip"), "10.0.0.1/24 @f:3");
  EXPECT_EQ(value_of(reading, "appliance.rx-descriptors"), "1024 @default");
  EXPECT_EQ(value_of(reading, "appliance.hugepages"), "false @default");
  EXPECT_EQ(value_of(reading, "breaker.window"), "50 @f:7");
}

TEST(ConfigSource, EnvironmentWinsOverFileAndFlagOverBoth) {
  const Variable mtu("MCPLANE_MTU", "1300");
  const Variable burst("MCPLANE_RX_BURST", "16");
  const ApplianceReading reading = read({"--rx-burst", "24"});
  ASSERT_FALSE(reading.stop) << reading.stop->text;
  EXPECT_EQ(reading.config.mtu, 1'300);
  EXPECT_EQ(reading.config.rx_burst, 24);
  EXPECT_EQ(value_of(reading, "appliance.mtu"), "1300 @MCPLANE_MTU");
  EXPECT_EQ(value_of(reading, "appliance.rx-burst"), "24 @flag");
}

TEST(ConfigSource, TypedPortTakesTheFilesAddress) {
  const ApplianceReading reading = read({"--port=tap:typed"});
  ASSERT_FALSE(reading.stop) << reading.stop->text;
  EXPECT_EQ(value_of(reading, "appliance.port"), "tap:typed @flag");
  EXPECT_EQ(value_of(reading, "appliance.ip"), "10.0.0.1/24 @f:3");
}

TEST(ConfigSource, TypedPortReplacesAllPortTables) {
  const std::string text =
      "[[port]]\ndevice = \"tap:a\"\nip = \"10.0.0.1/24\"\n[[port]]\ndevice = \"tap:b\"\nip = \"10.1.0.1/24\"\n";
  const ApplianceReading both = read({}, text);
  ASSERT_FALSE(both.stop) << both.stop->text;
  EXPECT_EQ(both.config.ports.size(), 2U);
  EXPECT_EQ(value_of(both, "appliance.ip"), "10.0.0.1/24,10.1.0.1/24 @f:3");
  const ApplianceReading typed = read({"--port", "tap:c", "--ip", "10.2.0.1/24"}, text);
  ASSERT_FALSE(typed.stop) << typed.stop->text;
  ASSERT_EQ(typed.config.ports.size(), 1U);
  EXPECT_EQ(value_of(typed, "appliance.ip"), "10.2.0.1/24 @flag");
}

TEST(ConfigSource, EqualValuesHaveEqualTexts) {
  const ApplianceReading typed = read({"--retry-after", "1000ms"}), file = read({"--retry-after=1s"});
  EXPECT_EQ(value_of(typed, "appliance.retry-after"), "1s @flag");
  EXPECT_EQ(value_of(file, "appliance.retry-after"), "1s @flag");
}

TEST(ConfigSource, ContradictionOfFlagsHasItsPlaceInTheFile) {
  const ApplianceReading reading = read({"--max-tasks", "100"}, std::string(kFile) + "[appliance.x]\n");
  ASSERT_TRUE(reading.stop);
  const ApplianceReading conflict = read({"--max-tasks", "100"},
                                         "[appliance]\nport = \"tap:a\"\nip = \"10.0.0.1/24\"\n"
                                         "max-queued = 200\n");
  ASSERT_TRUE(conflict.stop);
  EXPECT_EQ(conflict.stop->exit_code, kExitConfigInvalid);
  EXPECT_TRUE(conflict.stop->text.starts_with("f:4:14: appliance.max-queued: --max-queued 200 is more than"))
      << conflict.stop->text;
}

TEST(ConfigSource, MistakesEndInExit4ALineEach) {
  const ApplianceReading reading = read({}, "[breaker]\nwindow = 5\n[probe]\nrise = 0\n");
  ASSERT_TRUE(reading.stop);
  EXPECT_EQ(reading.stop->exit_code, kExitConfigInvalid);
  EXPECT_EQ(std::ranges::count(reading.stop->text, '\n'), 1);
  EXPECT_EQ(reading.mistakes.size(), 2U);
}

TEST(ConfigSource, HotKeysAloneCanBeChecked) {
  EXPECT_TRUE(read({}, "[breaker]\nprobes = 2\n").stop);
  EXPECT_FALSE(read({"--check"}, "[breaker]\nprobes = 2\n").stop);
}

class ConfigOnDisk : public ::testing::Test {
 protected:
  ConfigOnDisk() { ::close(::mkstemp(path_)); }
  ~ConfigOnDisk() override { ::unlink(path_); }

  ApplianceCommand run(const std::string& text, std::vector<const char*> typed = {}) {
    std::ofstream(path_) << text;
    typed.insert(typed.begin(), {"mcplane", "--config", path_});
    return parse_appliance_config(static_cast<int>(typed.size()), typed.data());
  }

  char path_[32] = "/tmp/mcplane-config-XXXXXX";
};

TEST_F(ConfigOnDisk, IsReadAtStart) {
  const auto [stop, config] = run(kFile);
  ASSERT_FALSE(stop) << stop->text;
  EXPECT_EQ(config.mtu, 1'400);
  EXPECT_EQ(config.document.text, kFile);
  EXPECT_EQ(config.document.origin, path_);
  EXPECT_EQ(config.arguments, (std::vector<std::string>{"mcplane", "--config", path_}));
}

TEST_F(ConfigOnDisk, CheckLeavesWithItsVerdict) {
  const auto sound = run(kFile, {"--check"});
  ASSERT_TRUE(sound.stop);
  EXPECT_EQ(sound.stop->exit_code, kExitOk);
  const auto bad = run("[breaker]\nwindow = 5\n", {"--check"});
  ASSERT_TRUE(bad.stop);
  EXPECT_EQ(bad.stop->exit_code, kExitConfigInvalid);
  EXPECT_TRUE(bad.stop->text.starts_with(std::string(path_) + ":2:10: breaker.window: ")) << bad.stop->text;
}

TEST_F(ConfigOnDisk, MistypedFlagComesBeforeTheFile) {
  const auto command = run("[breaker]\nwindow = 5\n", {"--mtuu", "9"});
  ASSERT_TRUE(command.stop);
  EXPECT_EQ(command.stop->exit_code, kExitUsage);
}

TEST_F(ConfigOnDisk, WhatCannotBeReadIsOneLine) {
  for (const char* path : {"/nonexistent/x.toml", "/tmp"}) {
    const Parsed<std::string> text = read_text(path);
    ASSERT_FALSE(text);
    EXPECT_NE(text.error.find("cannot be read"), std::string::npos) << text.error;
  }
  run(std::string((1 << 20) + 1, '#'));
  EXPECT_NE(read_text(path_).error.find("larger than 1MiB"), std::string::npos);
  run(std::string(1 << 20, '#'));
  EXPECT_TRUE(read_text(path_));
}

TEST(ConfigHelp, ReadmeShowsTheTableAsItIs) {
  const char* const path = std::getenv("README");
  ASSERT_NE(path, nullptr) << "the build system says where README.md is";
  EXPECT_NE(slurp(path).find(config_help()), std::string::npos)
      << "put what `mcplane --help-config` prints into README.md";
}

TEST(ConfigHelp, ReadmesExampleIsSound) {
  const char* const path = std::getenv("README");
  ASSERT_NE(path, nullptr) << "the build system says where README.md is";
  const std::string readme = slurp(path), fence = "```toml\n";
  const std::size_t start = readme.find(fence);
  ASSERT_NE(start, std::string::npos);
  const std::string text = readme.substr(start + fence.size(), readme.find("```", start + 3) - start - fence.size());
  const ApplianceReading reading = read({"--cores", std::to_string(allowed_cpus().back())}, text);
  EXPECT_FALSE(reading.stop) << reading.stop->text;
  EXPECT_GE(reading.config.document.settings->routes.size(), 2U);
}

}  // namespace
}  // namespace mcplane::app
