// The exec backend on real /bin/sh children: what they read, what they answer, and that none outlives its task.
#include "app/worker/backends.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mcplane::app {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Backend> backend(std::string_view text) {
  auto made = make_backend(text);
  EXPECT_TRUE(made) << made.error;
  return std::move(*made.value);
}

Task task_of(std::string prompt, std::chrono::milliseconds ttl = 30s) {
  Task task;
  task.id = "task-1";
  task.action = "generate";
  task.model = "llama";
  task.prompt = std::move(prompt);
  task.ttl = ttl;
  return task;
}

// Where an answer goes in pieces.
class Pieces final : public AnswerStream {
 public:
  bool write(std::string_view text) override {
    const std::lock_guard lock(mutex_);
    pieces_.emplace_back(text);
    return !cancelled_;
  }
  bool cancelled() const override { return cancelled_; }
  void cancel() { cancelled_ = true; }
  std::vector<std::string> pieces() {
    const std::lock_guard lock(mutex_);
    return pieces_;
  }

 private:
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  std::vector<std::string> pieces_;
};

// The whole of it; of an error the message.
Answer answer_of(Backend& backend, const Task& task) {
  Pieces stream;
  Answer answer = backend.answer(task, stream);
  if (answer.error) return answer;
  std::string all;
  for (const auto& piece : stream.pieces()) all += piece;
  return {all + answer.text};
}

// 'Z' and 'X' are dead, as is a process without an entry.
bool is_alive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  stat >> number >> name >> state;
  return stat && state != "Z" && state != "X";
}

TEST(EchoBackend, AnswersExactlyThePrompt) {
  const auto answer = answer_of(*backend("echo"), task_of(std::string("hi\0 \n", 5)));
  EXPECT_EQ(answer.text, std::string("hi\0 \n", 5));
  EXPECT_FALSE(answer.error);
}

TEST(MakeBackend, RefusesInOneLine) {
  for (const char* text : {"", "eccho", "exec", "exec:", "echo:hi"}) {
    const auto made = make_backend(text);
    EXPECT_FALSE(made) << text;
    EXPECT_NE(made.error.find("type echo or exec:COMMAND"), std::string::npos) << made.error;
  }
}

TEST(ExecBackend, PromptIsStdinAndAnswerIsStdout) {
  // More than a pipe holds, both ways.
  const std::string prompt = std::string(1U << 20, 'x') + "\nend";
  const auto answer = answer_of(*backend("exec:cat"), task_of(prompt));
  EXPECT_FALSE(answer.error);
  EXPECT_EQ(answer.text, prompt);
}

TEST(ExecBackend, PromptMayStayUnread) {
  const auto answer = answer_of(*backend("exec:echo ok"), task_of(std::string(1U << 20, 'x')));
  EXPECT_FALSE(answer.error);
  EXPECT_EQ(answer.text, "ok\n");
}

TEST(ExecBackend, LabelsAreInTheEnvironment) {
  setenv("MCPLANE_MODEL", "ours", 1);
  const auto answer = answer_of(
      *backend(R"(exec:printf '%s|%s|%s' "$MCPLANE_TASK_ID" "$MCPLANE_ACTION" "$MCPLANE_MODEL")"), task_of(""));
  unsetenv("MCPLANE_MODEL");
  EXPECT_EQ(answer.text, "task-1|generate|llama");
}

TEST(ExecBackend, LabelsAreNoShellText) {
  Task task = task_of("");
  task.model = "$(echo pwned); `id`";
  EXPECT_EQ(answer_of(*backend(R"(exec:printf %s "$MCPLANE_MODEL")"), task).text, task.model);
}

TEST(ExecBackend, FailureIsTheLastLineOfStderr) {
  const auto answer =
      answer_of(*backend("exec:echo out; echo first >&2; echo 'no such model' >&2; echo >&2; exit 3"), task_of(""));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "no such model");
}

TEST(ExecBackend, SilentFailureNamesTheStatus) {
  const auto answer = answer_of(*backend("exec:exit 3"), task_of(""));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command exited with status 3");
}

TEST(ExecBackend, DeathBySignalIsAnError) {
  const auto answer = answer_of(*backend("exec:kill -KILL $$"), task_of(""));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command was ended by signal 9");
}

TEST(ExecBackend, SignalsAreAsAShellExpects) {
  // `yes` ends only if SIGPIPE does.
  EXPECT_EQ(answer_of(*backend("exec:yes | head -n 1"), task_of("")).text, "y\n");
}

TEST(ExecBackend, TtlEndsTheWholeProcessGroup) {
  std::string file = ::testing::TempDir() + "mcplane-exec-XXXXXX";
  const int fd = mkstemp(file.data());
  ASSERT_GE(fd, 0);
  close(fd);
  const auto start = std::chrono::steady_clock::now();
  const auto answer = answer_of(*backend("exec:sleep 1000 & echo $! > " + file + "; wait"), task_of("", 300ms));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command was killed after 300 ms, the time the task had left");
  EXPECT_GE(std::chrono::steady_clock::now() - start, 300ms);
  pid_t grandchild = 0;
  std::ifstream(file) >> grandchild;
  unlink(file.c_str());
  ASSERT_GT(grandchild, 0);
  // The kernel may take a moment to end it.
  const auto patience = std::chrono::steady_clock::now() + 10s;
  while (is_alive(grandchild) && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  EXPECT_FALSE(is_alive(grandchild));
}

TEST(ExecBackend, WhatIsLeftInTheBackgroundDoesNotHoldUpTheAnswer) {
  const auto answer = answer_of(*backend("exec:sleep 1000 & echo done"), task_of("", 20s));
  EXPECT_FALSE(answer.error) << answer.text;
  EXPECT_EQ(answer.text, "done\n");
}

TEST(ExecBackend, ClosedOutputIsNotTheEnd) {
  const auto answer = answer_of(*backend("exec:exec >&- 2>&-; exit 4"), task_of(""));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command exited with status 4");
}

TEST(ExecBackend, OutputComesWhileTheCommandRuns) {
  Pieces stream;
  const auto exec = backend("exec:echo one; read line; echo two; sleep 1000");
  auto running = std::async(std::launch::async, [&] { return exec->answer(task_of("line\n", 60s), stream); });
  const auto patience = std::chrono::steady_clock::now() + 10s;
  const auto said = [&stream] {
    std::string all;
    for (const auto& piece : stream.pieces()) all += piece;
    return all;
  };
  while (said() != "one\ntwo\n" && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  EXPECT_EQ(said(), "one\ntwo\n");
  stream.cancel();
  const auto start = std::chrono::steady_clock::now();
  const Answer answer = running.get();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command was killed because nobody waits for its answer");
}

TEST(ExecBackend, ShortOutputOfAQuickCommandIsOnePiece) {
  Pieces stream;
  EXPECT_EQ(backend("exec:exec printf hi")->answer(task_of(""), stream).text, "hi");
  EXPECT_TRUE(stream.pieces().empty());
}

TEST(ExecBackend, RunawayOutputEndsWithItsClient) {
  Pieces stream;
  stream.cancel();
  const auto answer = backend("exec:yes")->answer(task_of("", 60s), stream);
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command was killed because nobody waits for its answer");
}

TEST(ExecBackend, InterruptEndsWhatRunsAndWhatComes) {
  const auto exec = backend("exec:sleep 1000");
  auto running = std::async(std::launch::async, [&exec] { return answer_of(*exec, task_of("", 60s)); });
  exec->interrupt();
  for (const auto& answer : {running.get(), answer_of(*exec, task_of("", 60s))}) {
    EXPECT_TRUE(answer.error);
    EXPECT_EQ(answer.text, "the command was killed because its worker is stopping");
  }
}

TEST(ExecBackend, ManyAtOnceKeepTheirOwnAnswers) {
  const auto exec = backend("exec:cat");
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 16; ++i)
    answers.push_back(
        std::async(std::launch::async, [&exec, i] { return answer_of(*exec, task_of(std::to_string(i))); }));
  for (int i = 0; i < 16; ++i) EXPECT_EQ(answers[static_cast<std::size_t>(i)].get().text, std::to_string(i));
}

}  // namespace
}  // namespace mcplane::app
