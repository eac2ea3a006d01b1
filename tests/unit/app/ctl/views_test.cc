// What mcplane-ctl makes of routes, tasks, captures and drains: tables of the appliance's JSON, and what it asks for.
#include <gtest/gtest.h>

#include <string>

#include "app/ctl/capture.h"
#include "app/ctl/drain.h"
#include "app/ctl/routes.h"
#include "app/ctl/tasks.h"

namespace mcplane::app {
namespace {

constexpr const char* kRoutes =
    R"({"routes":[{"action":"generate","model":"llama","tags":["gpu","eu"],"shadow":false,"configured":"generate",
      "policy":"session","workers":{"in":3,"on_trial":1,"out":2,"slots":64,"in_flight":12},"waiting":[1,0,0,2],
      "limits":{"tasks_per_s":100.0,"burst":0,"concurrency":50,"open":20},
      "degrade":{"chain":"reply","when":"auto","degraded":true,"why":"no worker"},"pools":[]},
     {"action":"paint","model":"","tags":[],"shadow":true,"configured":null,"policy":"least-outstanding",
      "workers":{"in":0,"on_trial":0,"out":0,"slots":0,"in_flight":0},"waiting":[0,0,0,0],"limits":null,
      "degrade":null,"pools":[]}]})";

TEST(RoutesTable, SaysWhoServesWaitsAndIsLimited) {
  const auto table = routes_table(kRoutes);
  ASSERT_TRUE(table) << table.error;
  for (const char* const text : {"generate", "llama", "gpu, eu", "session", "3 in, 1 on trial, 2 out", "1/0/0/2",
                                 "100/s, 20 of 50 open", "yes: no worker", "shadow paint", "none"})
    EXPECT_NE(table.value->find(text), std::string::npos) << text << "\n" << *table.value;
  EXPECT_FALSE(routes_table("{}"));
  EXPECT_NE(routes_table(R"({"routes":[]})").value->find("next:"), std::string::npos);
}

std::string task_json(const std::string& state, const std::string& more = "") {
  return R"({"id":"b6f1","token":"00000003:00000009","state":")" + state +
         R"(","action":"generate","model":"llama","tags":["gpu"],"priority":2,"idempotent":true,"shadow":false,
            "mirror":false,"degraded":false,"shard":0,"client":{"node_id":"00100001","name":"app"},"slot":7,
            "worker":{"node_id":"00100002","name":"w\u001b1"},"attempt":1,"tries":0,"client_knows":true,
            "answer_begun":false,"age_ms":1200,"queued_ms":3,"ttl_left_ms":-5,"waiting_in_class":4,
            "waiting_in_route":6)" +
         more + "}";
}

TEST(TasksTable, OneLineATask) {
  const auto table = tasks_table(R"({"tasks":[)" + task_json("running") + R"(],"more":true})");
  ASSERT_TRUE(table) << table.error;
  for (const char* const text : {"b6f1", "running", "generate/llama", "1.2s", "-5ms", "app", "w?1", "there are more"})
    EXPECT_NE(table.value->find(text), std::string::npos) << text << "\n" << *table.value;
  EXPECT_EQ(*tasks_table(R"({"tasks":[],"more":false})").value, "no such task is open\n");
}

TEST(Explanation, SaysWhereItIsAndWhyEachWorkerMayNotHaveIt) {
  const std::string candidates =
      R"(,"route_refuses":"","candidates_left_out":3,"candidates":[
        {"node_id":"00100002","name":"one","takes_it":true,"why_not":"","breaker":"closed","outstanding":1,"bound":4},
        {"node_id":"00100003","name":"two","takes_it":false,"why_not":"its breaker is open: 5 failures in a row",
         "breaker":"open","outstanding":0,"bound":4}])";
  const auto text = explanation(R"({"tasks":[)" + task_json("queued", candidates) + "]}");
  ASSERT_TRUE(text) << text.error;
  for (const char* const part :
       {"task b6f1, token 00000003:00000009", "queued 3ms, 4 wait in its class, 6 in its route", "tags gpu",
        "idempotent", "came 1.2s ago", "app, slot 7", "may go there; has this one",
        "refused: its breaker is open: 5 failures in a row", "1/4", "and 3 more"})
    EXPECT_NE(text.value->find(part), std::string::npos) << part << "\n" << *text.value;
}

TEST(ExplainRequest, IdsAsTheyAreOnTheWireAndTokensAsTheyAre) {
  const auto target = [](const char* task) {
    ExplainFlags flags;
    flags.task = task;
    return explain_request(flags).target;
  };
  EXPECT_EQ(target("0100000A:00000009"), "/v1/tasks/0100000a:00000009");
  EXPECT_EQ(target("6F9619FF-8B86-4011-B42D-00C04FC964FF"), "/v1/tasks/6f9619ff8b864011b42d00c04fc964ff");
  EXPECT_EQ(target("t-1").size(), std::string("/v1/tasks/").size() + 32) << "other text is hashed";
  EXPECT_NE(target("t-1"), target("t-2"));
}

TEST(TasksRequest, FiltersTravelEncoded) {
  TasksFlags flags;
  flags.route = "a/b c";
  flags.state = "queued,running";
  flags.limit = 7;
  EXPECT_EQ(tasks_request(flags).target, "/v1/tasks?limit=7&route=a%2Fb%20c&state=queued%2Crunning");
}

TEST(CaptureRequest, BoundsAndFiltersTravel) {
  CaptureFlags flags;
  flags.file = "f";
  flags.count = 5;
  flags.seconds = 2;
  flags.snap_bytes = 96;
  flags.peer = "10.0.0.2";
  flags.types = "SEND,ROUTE";
  EXPECT_EQ(capture_request(flags).target, "/v1/capture?count=5&seconds=2&snap=96&peer=10.0.0.2&type=SEND%2CROUTE");
}

TEST(CaptureText, SaysWhatFoundNoRoomAndThatPromptsAreThere) {
  const auto whole = capture_text(R"({"on":false,"frames":12,"missed":0})");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole.value->substr(0, 10), "12 frames;");
  EXPECT_NE(whole.value->find("prompts"), std::string::npos);
  EXPECT_NE(capture_text(R"({"on":false,"frames":12,"missed":3})").value->find("3 more matched"), std::string::npos);
}

TEST(Draining, HeldIsTheNodesOwnFigure) {
  const char* const nodes =
      R"({"nodes":[{"node_id":"00100001","outstanding":3},{"node_id":"00100002","outstanding":0}]})";
  EXPECT_EQ(tasks_held(nodes, "00100001"), 3U);
  EXPECT_EQ(tasks_held(nodes, "00100002"), 0U);
  EXPECT_FALSE(tasks_held(nodes, "00100003"));
}

}  // namespace
}  // namespace mcplane::app
