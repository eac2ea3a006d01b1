// Questions to cores piece by piece, and what is said of tasks and routes: the test answers as cores would.
#include "control/cores/inquiries.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "control/reports/route_report.h"
#include "control/reports/selectors.h"
#include "control/reports/task_report.h"
#include "control_fixture.h"

namespace mcplane::control {
namespace {

using nlohmann::json;
using state::Inspection;
using state::TaskState;

class InspectionTest : public ControlTest {
 protected:
  // A core's part: pieces of so many tasks, until `tasks` are told.
  void answer(std::size_t shard, std::uint32_t count, bool more) {
    Inspection& piece = shared->shards[shard]->inspection;
    piece.count = count;
    for (std::uint32_t i = 0; i < count; ++i) {
      piece.tasks[i] = {};
      piece.tasks[i].selector.length = 0;
      piece.tasks[i].token = TaskToken::make(ShardId(static_cast<std::uint8_t>(shard)), piece.question.from + i, 1);
      piece.tasks[i].age_ms = piece.question.from + i;
    }
    piece.next = piece.question.from + count;
    piece.more = more;
    piece.answered.fetch_add(1, std::memory_order_release);
  }
  std::size_t asked(std::size_t shard) {
    std::size_t count = 0;
    for (const state::Command& command : take_commands(shard))
      count += command.kind == state::CommandKind::kInspect ? 1 : 0;
    return count;
  }
  void ask(const Inquiry& inquiry) {
    ASSERT_TRUE(control->inquire(inquiry, [this](const Found& told) { found = told; }));
  }
  state::TaskCopy copy(std::string_view route, TaskState state) {
    state::TaskCopy task;
    task.selector = *selector_of_route(route);
    task.state = state;
    task.token = TaskToken::make(ShardId{0}, 3, 9);
    task.id = {0xb6, 0xf1};
    task.age_ms = 12;
    return task;
  }
  json explain(const state::TaskCopy& task) {
    return json::parse(explanation_json(*control, {.tasks = {task}, .routes = {}}))["tasks"][0];
  }
  json candidate(const json& task, std::string_view node) {
    for (const json& worker : task["candidates"])
      if (worker["node_id"] == node) return worker;
    return {};
  }
  static std::string hex(SessionId id) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", id.value);
    return text;
  }

  std::optional<Found> found;
};

TEST_F(InspectionTest, AllShardsAreAskedPieceByPiece) {
  start(2);
  ask({});
  poll();
  EXPECT_EQ(asked(0), 1U);
  EXPECT_EQ(asked(1), 1U);
  answer(0, 2, true);
  answer(1, 3, false);
  poll();
  EXPECT_FALSE(found);
  EXPECT_EQ(asked(0), 1U);
  EXPECT_EQ(asked(1), 0U) << "all is told";
  EXPECT_EQ(shared->shards[0]->inspection.question.from, 2U);
  answer(0, 1, false);
  poll();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->tasks.size(), 6U);
  EXPECT_FALSE(found->more);
}

TEST_F(InspectionTest, NoMoreThanIsEnoughIsAskedFor) {
  start();
  ask({.enough = 2});
  poll();
  answer(0, 2, true);
  poll();
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->more);
}

TEST_F(InspectionTest, AShardAloneAndTheNextQuestionAfterIt) {
  start(2);
  ask({.shard = ShardId{1}});
  ask({});
  poll();
  EXPECT_EQ(asked(0), 0U);
  EXPECT_EQ(asked(1), 1U);
  answer(1, 1, false);
  poll();
  ASSERT_TRUE(found);
  found.reset();
  poll();
  EXPECT_EQ(asked(0), 1U);
  answer(0, 0, false);
  answer(1, 0, false);
  poll();
  EXPECT_TRUE(found);
}

TEST_F(InspectionTest, ACoreThatStandsStillHoldsUpAFewAndNoMore) {
  start();
  for (std::size_t i = 0; i < Inquiries::kWaitingMax; ++i) ask({});
  run(5);
  EXPECT_FALSE(control->inquire({}, [](const Found&) {}));
  EXPECT_EQ(asked(0), 1U);
}

TEST(Selectors, RoutesAndTasksByName) {
  const auto selector = selector_of_route("generate/llama");
  ASSERT_TRUE(selector);
  const auto wanted = read_selector(*selector);
  ASSERT_TRUE(wanted);
  EXPECT_EQ(wanted->action, "generate");
  EXPECT_EQ(wanted->model, "llama");
  EXPECT_TRUE(wanted->tags.empty());
  EXPECT_FALSE(selector_of_route(""));
  EXPECT_FALSE(selector_of_route(std::string(65, 'a')));
  EXPECT_FALSE(read_selector(state::Selector{}));
  EXPECT_EQ(read_selector(*selector_of_route("generate"))->model, "") << "it only begins";
}

TEST(TaskNames, IdsAndTokens) {
  const auto by_id = inquiry_of("b6f10000-0000-0000-0000-0000000000ff");
  ASSERT_TRUE(by_id);
  EXPECT_EQ(id_text(*by_id->question.id), "b6f10000-0000-0000-0000-0000000000ff");
  const auto by_token = inquiry_of("01000005:00000009");
  ASSERT_TRUE(by_token);
  EXPECT_EQ(by_token->shard, ShardId{1});
  EXPECT_EQ(by_token->question.from, 5U);
  EXPECT_EQ(by_token->question.to, 6U);
  EXPECT_EQ(by_token->question.generation, 9U);
  for (const char* const name : {"", "b6f1", "01000005:9", "01000005:0000000x", "b6f10000-0000-0000-0000-0000000000fx"})
    EXPECT_FALSE(inquiry_of(name)) << name;
}

TEST_F(InspectionTest, WhyEachWorkerMayOrMayNotHaveATask) {
  start();
  HelloSpec with_model = worker_hello(1'000);
  with_model.body.models = {"llama"};
  const SessionId fits = join_worker(with_model), without_model = join_worker(worker_hello(1'001));
  const SessionId other = join_worker(worker_hello(1'002, 1, {"paint"}));
  const json task = explain(copy("generate/llama", TaskState::kQueued));
  EXPECT_EQ(task["id"], "b6f10000-0000-0000-0000-000000000000");
  EXPECT_EQ(task["token"], "00000003:00000009");
  EXPECT_EQ(task["state"], "queued");
  EXPECT_EQ(candidate(task, hex(fits))["takes_it"], true);
  EXPECT_EQ(candidate(task, hex(without_model))["why_not"], "has no model 'llama'");
  EXPECT_EQ(candidate(task, hex(other))["why_not"], "has no action 'generate'");
  EXPECT_EQ(task["candidates"][0]["node_id"], hex(fits)) << "who may have it comes first";
}

TEST_F(InspectionTest, BreakersAndFullWorkersRefuse) {
  start();
  const SessionId open = join_worker(worker_hello(1'000)), full = join_worker(worker_hello(1'001));
  EXPECT_EQ(control->force_breaker(open, BreakerMode::kForcedOpen), "");
  state::WorkerLine& line = shared->workers[WorkerId{1}];
  obey();
  while (shared->workers.try_acquire(WorkerId{1})) continue;
  const json task = explain(copy("generate", TaskState::kQueued));
  EXPECT_EQ(candidate(task, hex(open))["takes_it"], false);
  EXPECT_EQ(candidate(task, hex(open))["why_not"].get<std::string>().substr(0, 19), "its breaker is open");
  const std::uint32_t bound = line.bound.load();
  EXPECT_EQ(candidate(task, hex(full))["why_not"],
            "full: holds " + std::to_string(bound) + " of " + std::to_string(bound));
}

TEST_F(InspectionTest, RoutesAreThoseSeenConfiguredAndOffered) {
  auto settings = std::make_shared<Settings>();
  RouteSettings& route = settings->routes.emplace_back();
  route.action = "generate";
  route.model = "llama";
  route.policy = state::Policy::kSession;
  start();
  control->apply(settings);
  HelloSpec hello = worker_hello(1'000, 1, {"generate", "paint"});
  hello.body.models = {"llama"};
  join_worker(hello);
  run(20);
  Found seen;
  seen.routes.resize(2);
  seen.routes[0].selector = seen.routes[1].selector = *selector_of_route("generate/llama");
  seen.routes[0].waiting = {1, 0, 0, 2};
  seen.routes[1].waiting = {4, 0, 0, 0};  // on another shard
  const json routes = json::parse(routes_json(*control, seen))["routes"];
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0]["action"], "generate");
  EXPECT_EQ(routes[0]["configured"], "generate/llama");
  EXPECT_EQ(routes[0]["policy"], "session");
  EXPECT_EQ(routes[0]["waiting"], json({5, 0, 0, 2}));
  EXPECT_EQ(routes[0]["workers"]["in"], 1);
  EXPECT_EQ(routes[0]["pools"].size(), 1U);
  EXPECT_EQ(routes[1]["action"], "paint") << "offered, and nobody asked";
  EXPECT_EQ(routes[1]["configured"], nullptr);
  EXPECT_EQ(routes[1]["policy"], "least-outstanding");
  EXPECT_EQ(control->force_breaker(shared->workers[WorkerId{0}].owner(), BreakerMode::kForcedOpen), "");
  const json out = json::parse(routes_json(*control, seen))["routes"];
  EXPECT_EQ(out[0]["workers"]["in"], 0);
  EXPECT_EQ(out[0]["workers"]["out"], 1);
}

TEST(TallyTest, CountsRoundTheWordAndFailuresOnce) {
  state::Shared shared({.shards = 2, .sessions = 4, .workers = 2, .cookie_key = {}});
  const WorkerId worker{1};
  shared.shards[0]->outcomes.add_failure(worker);
  Tally tally;
  tally.begin(shared, worker);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 40'000; ++i) shared.shards[0]->outcomes.add_success(worker);
    shared.shards[1]->outcomes.add_failure(worker);
    shared.shards[1]->outcomes.add_success(worker);
    shared.shards[1]->outcomes.add_failure(worker);
    tally.look(shared, worker);
    tally.look(shared, worker);
  }
  EXPECT_EQ(tally.done(), 3U * 40'003);
  EXPECT_EQ(tally.failed(), 6U) << "what came before is another worker's";
}

}  // namespace
}  // namespace mcplane::control
