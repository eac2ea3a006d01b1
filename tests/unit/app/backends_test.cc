// The exec backend on real /bin/sh children: what they read, what they answer, and that none outlives its task.
#include "app/backends.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <future>
#include <memory>
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

// 'Z' and 'X' are dead, as is a process without an entry.
bool is_alive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  stat >> number >> name >> state;
  return stat && state != "Z" && state != "X";
}

TEST(EchoBackend, AnswersExactlyThePrompt) {
  const auto answer = backend("echo")->answer(task_of(std::string("hi\0 \n", 5)));
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
  const auto answer = backend("exec:cat")->answer(task_of(prompt));
  EXPECT_FALSE(answer.error);
  EXPECT_EQ(answer.text, prompt);
}

TEST(ExecBackend, PromptMayStayUnread) {
  const auto answer = backend("exec:echo ok")->answer(task_of(std::string(1U << 20, 'x')));
  EXPECT_FALSE(answer.error);
  EXPECT_EQ(answer.text, "ok\n");
}

TEST(ExecBackend, LabelsAreInTheEnvironment) {
  setenv("MCPLANE_MODEL", "ours", 1);
  const auto answer =
      backend(R"(exec:printf '%s|%s|%s' "$MCPLANE_TASK_ID" "$MCPLANE_ACTION" "$MCPLANE_MODEL")")->answer(task_of(""));
  unsetenv("MCPLANE_MODEL");
  EXPECT_EQ(answer.text, "task-1|generate|llama");
}

TEST(ExecBackend, LabelsAreNoShellText) {
  Task task = task_of("");
  task.model = "$(echo pwned); `id`";
  EXPECT_EQ(backend(R"(exec:printf %s "$MCPLANE_MODEL")")->answer(task).text, task.model);
}

TEST(ExecBackend, FailureIsTheLastLineOfStderr) {
  const auto answer =
      backend("exec:echo out; echo first >&2; echo 'no such model' >&2; echo >&2; exit 3")->answer(task_of(""));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "no such model");
}

TEST(ExecBackend, SilentFailureNamesTheStatus) {
  const auto answer = backend("exec:exit 3")->answer(task_of(""));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command exited with status 3");
}

TEST(ExecBackend, DeathBySignalIsAnError) {
  const auto answer = backend("exec:kill -KILL $$")->answer(task_of(""));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command was ended by signal 9");
}

TEST(ExecBackend, SignalsAreAsAShellExpects) {
  // `yes` ends only if SIGPIPE does.
  EXPECT_EQ(backend("exec:yes | head -n 1")->answer(task_of("")).text, "y\n");
}

TEST(ExecBackend, TtlEndsTheWholeProcessGroup) {
  std::string file = ::testing::TempDir() + "mcplane-exec-XXXXXX";
  const int fd = mkstemp(file.data());
  ASSERT_GE(fd, 0);
  close(fd);
  const auto start = std::chrono::steady_clock::now();
  const auto answer = backend("exec:sleep 1000 & echo $! > " + file + "; wait")->answer(task_of("", 300ms));
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
  const auto answer = backend("exec:sleep 1000 & echo done")->answer(task_of("", 20s));
  EXPECT_FALSE(answer.error) << answer.text;
  EXPECT_EQ(answer.text, "done\n");
}

TEST(ExecBackend, ClosedOutputIsNotTheEnd) {
  const auto answer = backend("exec:exec >&- 2>&-; exit 4")->answer(task_of(""));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command exited with status 4");
}

TEST(ExecBackend, RunawayOutputIsCut) {
  const auto answer = backend("exec:yes")->answer(task_of("", 60s));
  EXPECT_TRUE(answer.error);
  EXPECT_EQ(answer.text, "the command was killed because it wrote more than 16 MiB");
}

TEST(ExecBackend, InterruptEndsWhatRunsAndWhatComes) {
  const auto exec = backend("exec:sleep 1000");
  auto running = std::async(std::launch::async, [&exec] { return exec->answer(task_of("", 60s)); });
  exec->interrupt();
  for (const auto& answer : {running.get(), exec->answer(task_of("", 60s))}) {
    EXPECT_TRUE(answer.error);
    EXPECT_EQ(answer.text, "the command was killed because its worker is stopping");
  }
}

TEST(ExecBackend, ManyAtOnceKeepTheirOwnAnswers) {
  const auto exec = backend("exec:cat");
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 16; ++i)
    answers.push_back(std::async(std::launch::async, [&exec, i] { return exec->answer(task_of(std::to_string(i))); }));
  for (int i = 0; i < 16; ++i) EXPECT_EQ(answers[static_cast<std::size_t>(i)].get().text, std::to_string(i));
}

}  // namespace
}  // namespace mcplane::app
