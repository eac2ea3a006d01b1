// libmcplane against a running appliance, in one process: a worker whose handler writes back everything it was given,
// and a client that compares. BROKER in the environment names the appliance.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "mcplane/client.h"
#include "mcplane/worker.h"

namespace mcplane {
namespace {

// One character before each length-prefixed field, so that nothing can shift from one field into the next.
std::string field(char kind, const std::string& text) {
  return std::string(1, kind) + std::to_string(text.size()) + ":" + text;
}

std::string all_of(const Task& task) {
  std::string text = field('p', task.prompt);
  for (const Turn& turn : task.history) text += field('r', turn.role) + field('c', turn.content);
  for (const auto& [key, value] : task.parameters) text += field('k', key) + field('v', value);
  return text;
}

// FNV-1a: the answer need not fit what the task filled.
std::string digest(const std::string& text) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  return std::to_string(text.size()) + " " + std::to_string(hash);
}

class SdkRoundtrip : public testing::Test {
 protected:
  static std::string broker() {
    const char* given = std::getenv("BROKER");
    return given == nullptr ? "" : given;
  }
  void SetUp() override { wait_until_served("digest"); }

  // A worker's registration is done before the broker routes to it, a few milliseconds later.
  void wait_until_served(const std::string& action) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (client_.call({.action = action, .prompt = "there?"}).reason == "no_worker")
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "no route to " << action;
  }
  Outcome call(Task task) {
    task.action = "digest";
    return client_.call(std::move(task));
  }

  Worker worker_{{.broker = broker(), .name = "digest", .actions = {"digest"}, .slots = 8},
                 [](const Task& task) { return Answer{digest(all_of(task))}; }};
  Client client_{{.broker = broker(), .name = "sdk_roundtrip"}};
};

Task with_turns(std::size_t turns, const std::string& content) {
  Task task;
  task.prompt = "撰写一篇技术博客";
  for (std::size_t i = 0; i < turns; ++i) task.history.push_back({i % 2 == 0 ? "user" : "assistant", content});
  return task;
}

TEST_F(SdkRoundtrip, HistoriesArriveByteForByte) {
  for (const std::size_t turns : {0U, 1U, 16U}) {
    Task task = with_turns(turns, "你好");
    task.parameters = {{"temperature", "0.2"}, {"empty", ""}};
    const Outcome outcome = call(task);
    ASSERT_EQ(outcome.kind, OutcomeKind::kResult) << turns << ": " << outcome.reason;
    EXPECT_EQ(outcome.text, digest(all_of(task))) << turns;
    EXPECT_EQ(outcome.executed, Executed::kYes);
    EXPECT_NE(outcome.worker_node, 0U);
  }
}

TEST_F(SdkRoundtrip, EveryByteValueSurvivesInPromptAndHistory) {
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes.push_back(static_cast<char>(value));
  Task task = with_turns(1, bytes);
  task.prompt = bytes + bytes;
  const Outcome outcome = call(task);
  ASSERT_EQ(outcome.kind, OutcomeKind::kResult) << outcome.reason;
  EXPECT_EQ(outcome.text, digest(all_of(task)));
}

TEST_F(SdkRoundtrip, HistoryBeyond16MiBIsRefusedUnexecuted) {
  const Outcome outcome = call(with_turns(17, std::string(std::size_t{1} << 20, 'x')));
  EXPECT_EQ(outcome.kind, OutcomeKind::kRejected);
  EXPECT_EQ(outcome.reason, "too_large");
  EXPECT_EQ(outcome.executed, Executed::kNo);
}

// Byte by byte past what a frame holds: the last whole task, and the first in parts, arrive alike.
TEST_F(SdkRoundtrip, PromptsArriveWholeAroundTheEndOfAFrame) {
  for (std::size_t size = 1'100; size <= 1'500; ++size) {
    const Task task{.prompt = std::string(size, 'x')};
    const Outcome outcome = call(task);
    ASSERT_TRUE(outcome.ok()) << size << ": " << outcome.reason;
    ASSERT_EQ(outcome.text, digest(all_of(task))) << size;
  }
}

TEST_F(SdkRoundtrip, TasksInFlightTogetherKeepTheirOwnAnswers) {
  std::vector<Task> tasks;
  std::vector<std::future<Outcome>> outcomes;
  for (int i = 0; i < 500; ++i) {
    tasks.push_back({.id = "task-" + std::to_string(i), .action = "digest", .prompt = "prompt " + std::to_string(i)});
    outcomes.push_back(client_.send(tasks.back()));
  }
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const Outcome outcome = outcomes[i].get();
    ASSERT_EQ(outcome.kind, OutcomeKind::kResult) << outcome.reason;
    EXPECT_EQ(outcome.task_id, tasks[i].id);
    EXPECT_EQ(outcome.text, digest(all_of(tasks[i])));
  }
}

TEST_F(SdkRoundtrip, HandlersExceptionIsTheWorkersError) {
  Worker thrower({.broker = broker(), .name = "thrower", .actions = {"throw"}},
                 [](const Task&) -> Answer { throw std::runtime_error("out of ideas"); });
  wait_until_served("throw");
  const Outcome outcome = client_.call({.action = "throw", .prompt = "x"});
  EXPECT_EQ(outcome.kind, OutcomeKind::kWorkerError);
  EXPECT_EQ(outcome.text, "out of ideas");
  EXPECT_EQ(outcome.executed, Executed::kYes);
}

}  // namespace
}  // namespace mcplane
