// What `mcplane-ctl config` makes of the appliance's answers.
#include "app/ctl/config.h"

#include <gtest/gtest.h>

namespace mcplane::app {
namespace {

constexpr const char* kRunning = R"("generation":3,"confirm_left_ms":null,"pending":[])";

TEST(CtlConfig, DiffIsALineAKey) {
  const auto text =
      config_changes_table(R"({"changes":[{"key":"breaker.window","before":"50","after":"60","restart":false},)"
                           R"({"key":"appliance.mtu","before":"","after":"9\u001b[1m","restart":true}]})");
  ASSERT_TRUE(text) << text.error;
  EXPECT_EQ(*text.value, "breaker.window: 50 -> 60\nappliance.mtu: (none) -> 9?[1m  (needs a restart)\n");
  EXPECT_EQ(*config_changes_table(R"({"changes":[]})").value, "no difference\n");
}

TEST(CtlConfig, ShowTellsOriginsWhenAsked) {
  const std::string body = std::string("{") + kRunning +
                           R"(,"values":[{"key":"probe.rise","value":"2","origin":"default","restart":false}]})";
  EXPECT_EQ(*config_table(body).value, "generation 3\n\nKEY         VALUE\nprobe.rise  2\n");
  EXPECT_EQ(*config_origin_table(body).value, "generation 3\n\nKEY         VALUE  FROM\nprobe.rise  2      default\n");
}

TEST(CtlConfig, TrialAndPendingKeysAreTold) {
  const auto text =
      config_table(R"({"generation":2,"confirm_left_ms":41000,"values":[],)"
                   R"("pending":[{"key":"appliance.mtu","before":"1500","after":"9000","restart":true}]})");
  ASSERT_TRUE(text) << text.error;
  EXPECT_NE(text.value->find("generation 2, goes back by itself in 41s unless confirmed"), std::string::npos);
  EXPECT_NE(text.value->find("appliance.mtu: 1500 -> 9000  (needs a restart)"), std::string::npos);
}

TEST(CtlConfig, HistoryIsARowAGeneration) {
  const auto text = config_history_table(
      std::string("{") + kRunning +
      R"(,"generations":[{"generation":3,"unix_s":0,"how":"start","by":"","origin":"/f","text":""}]})");
  ASSERT_TRUE(text) << text.error;
  EXPECT_NE(text.value->find("3           at start  start      /f"), std::string::npos) << *text.value;
}

TEST(CtlConfig, OtherAnswersAreNotUnderstood) {
  EXPECT_FALSE(config_table("{}"));
  EXPECT_FALSE(config_history_table("[]"));
  EXPECT_FALSE(config_changes_table("no JSON"));
}

}  // namespace
}  // namespace mcplane::app
