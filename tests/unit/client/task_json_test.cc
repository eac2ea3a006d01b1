// The JSON form: what is accepted, and that each refusal names the field at fault.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "mcplane/task.h"

namespace mcplane {
namespace {

constexpr std::string_view kTask =
    R"({"mcp_version":"1.0","task_id":"uuid-123abc","action":"generate","payload":{"prompt":"撰写一篇技术博客",)"
    R"("context":{"history":[{"role":"user","content":"你好"}]}},"ttl":300})";

std::string replaced(std::string_view from, std::string_view to) {
  std::string json(kTask);
  const auto at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return json.replace(at, from.size(), to);
}

// "" when accepted.
std::string refusal(const std::string& json) {
  try {
    task_from_json(json);
    return "";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

TEST(TaskJson, TheProjectsTaskIsAccepted) {
  const Task task = task_from_json(kTask);
  EXPECT_EQ(task.id, "uuid-123abc");
  EXPECT_EQ(task.action, "generate");
  EXPECT_EQ(task.prompt, "撰写一篇技术博客");
  ASSERT_EQ(task.history.size(), 1U);
  EXPECT_EQ(task.history[0], (Turn{"user", "你好"}));
  EXPECT_EQ(task.ttl, std::chrono::seconds(300));
  EXPECT_EQ(task.priority, 1);
  EXPECT_FALSE(task.idempotent);
  EXPECT_FALSE(task.shadow);
}

TEST(TaskJson, OptionalFieldsAreAccepted) {
  std::string json = replaced(
      R"("ttl":300)",
      R"("ttl":0.25,"model":"m","tags":["a","b"],"priority":3,"idempotent":true,"shadow":true,"affinity":"k")");
  json.replace(json.find(R"("context")"), 0, R"("parameters":{"z":"s","a":0.5,"t":true},)");
  const Task task = task_from_json(json);
  EXPECT_EQ(task.ttl, std::chrono::milliseconds(250));
  EXPECT_EQ(task.model, "m");
  EXPECT_EQ(task.tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(task.priority, 3);
  EXPECT_TRUE(task.idempotent);
  EXPECT_TRUE(task.shadow);
  EXPECT_EQ(task.affinity, "k");
  const std::vector<std::pair<std::string, std::string>> parameters = {{"z", "s"}, {"a", "0.5"}, {"t", "true"}};
  EXPECT_EQ(task.parameters, parameters);
}

TEST(TaskJson, TtlIsRoundedUpToAMillisecond) {
  EXPECT_EQ(task_from_json(replaced("300", "0.00001")).ttl, std::chrono::milliseconds(1));
  EXPECT_EQ(task_from_json(replaced("300", "86400")).ttl, std::chrono::hours(24));
}

TEST(TaskJson, EmptyHistoryIsFine) { EXPECT_EQ(refusal(replaced(R"([{"role":"user","content":"你好"}])", "[]")), ""); }

struct Case {
  std::string_view from, to, refusal;
};

class TaskJsonRefusal : public testing::TestWithParam<Case> {};

TEST_P(TaskJsonRefusal, NamesTheField) {
  EXPECT_EQ(refusal(replaced(GetParam().from, GetParam().to)), GetParam().refusal);
}

constexpr std::string_view kTurn = R"({"role":"user","content":"你好"})";

INSTANTIATE_TEST_SUITE_P(
    Missing, TaskJsonRefusal,
    testing::Values(Case{R"("mcp_version":"1.0",)", "", "mcp_version: missing"},
                    Case{R"("task_id":"uuid-123abc",)", "", "task_id: missing"},
                    Case{R"("action":"generate",)", "", "action: missing"}, Case{R"(,"ttl":300)", "", "ttl: missing"},
                    Case{R"("prompt":"撰写一篇技术博客",)", "", "payload.prompt: missing"},
                    Case{R"(,"context":{"history":[{"role":"user","content":"你好"}]})", "",
                         "payload.context: missing"},
                    Case{R"("history":[{"role":"user","content":"你好"}])", "", "payload.context.history: missing"},
                    Case{R"("role":"user",)", "", "payload.context.history[0].role: missing"},
                    Case{R"(,"content":"你好")", "", "payload.context.history[0].content: missing"}));

INSTANTIATE_TEST_SUITE_P(
    Mistyped, TaskJsonRefusal,
    testing::Values(Case{R"("1.0")", "1.0", "mcp_version: must be a string"},
                    Case{R"("1.0")", R"("1.1")", "mcp_version: must be \"1.0\""},
                    Case{R"("uuid-123abc")", "7", "task_id: must be a string"},
                    Case{R"("uuid-123abc")", R"("")", "task_id: must be 1 to 64 bytes"},
                    Case{R"("generate")", "null", "action: must be a string"},
                    Case{R"("generate")", R"("")", "action: wants 1 to 64 bytes without control characters"},
                    Case{R"("撰写一篇技术博客")", "[]", "payload.prompt: must be a string"},
                    Case{kTurn, "7", "payload.context.history[0]: must be an object"},
                    Case{R"([{"role":"user","content":"你好"}])", "{}", "payload.context.history: must be an array"},
                    Case{R"({"history":[{"role":"user","content":"你好"}]})", "[]",
                         "payload.context: must be an object"},
                    Case{R"("user")", "1", "payload.context.history[0].role: must be a string"},
                    Case{R"("你好")", "{}", "payload.context.history[0].content: must be a string"},
                    Case{"300", R"("300")", "ttl: must be a number of seconds"},
                    Case{"300", "0", "ttl: must be over 0 and at most 86400 seconds"},
                    Case{"300", "-1", "ttl: must be over 0 and at most 86400 seconds"},
                    Case{"300", "86400.5", "ttl: must be over 0 and at most 86400 seconds"},
                    Case{"300", R"(300,"priority":4)", "priority: must be an integer from 0 to 3"},
                    Case{"300", R"(300,"priority":1.0)", "priority: must be an integer from 0 to 3"},
                    Case{"300", R"(300,"idempotent":1)", "idempotent: must be true or false"},
                    Case{"300", R"(300,"shadow":"yes")", "shadow: must be true or false"},
                    Case{"300", R"(300,"tags":["a",1])", "tags[1]: must be a string"},
                    Case{"300", R"(300,"model":1)", "model: must be a string"}));

INSTANTIATE_TEST_SUITE_P(
    Unknown, TaskJsonRefusal,
    testing::Values(Case{R"("ttl")", R"("extra":1,"ttl")", "extra: unknown field"},
                    Case{R"("prompt")", R"("extra":1,"prompt")", "payload.extra: unknown field"},
                    Case{R"("history")", R"("extra":1,"history")", "payload.context.extra: unknown field"},
                    Case{R"("role")", R"("extra":1,"role")", "payload.context.history[0].extra: unknown field"},
                    Case{R"("ttl")", R"("ttl":1,"ttl")", "ttl: given twice"},
                    Case{R"("ttl")", R"("a\nb":1,"ttl")", "a?b: unknown field"},
                    Case{"300", R"(300,"tags":[[[[[[[[[1]]]]]]]]])", "json: nested deeper than 8"}));

TEST(TaskJson, WhatIsNoJsonObjectIsRefused) {
  EXPECT_EQ(refusal("[]"), "json: must be an object");
  EXPECT_EQ(refusal("{}"), "mcp_version: missing");
  EXPECT_EQ(refusal(""), "json: not well-formed at byte 1");
  EXPECT_NE(refusal(std::string(kTask) + "x").find("json: not well-formed at byte"), std::string::npos);
  EXPECT_NE(refusal(replaced("generate", "\xff")).find("json: not well-formed at byte"), std::string::npos);
  EXPECT_EQ(refusal(replaced(R"("payload":{)", R"("payload":[{)").replace(0, 0, "")).substr(0, 5), "json:");
}

}  // namespace
}  // namespace mcplane
