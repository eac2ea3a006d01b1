// Messages in parts and streams through the SDK, over real loopback sockets and a broker of the test's own.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "unit/client/sdk_fixture.h"

namespace mcplane {
namespace {

// No two stretches of it are alike for long.
std::string text_of(std::size_t bytes) {
  std::string text;
  text.reserve(bytes + 8);
  for (std::uint32_t i = 0; text.size() < bytes; ++i) text += std::to_string(i * 2'654'435'761U);
  text.resize(bytes);
  return text;
}

// What a client with a ChunkCallback got.
struct Got {
  std::vector<std::string> chunks;
  std::optional<Outcome> outcome;

  std::string text() const {
    std::string all;
    for (const auto& chunk : chunks) all += chunk;
    return all;
  }
};

bool stream(AsyncClient& client, Task task, Got& got) {
  client.submit(
      std::move(task), [&](std::string_view chunk) { got.chunks.emplace_back(chunk); },
      [&](Outcome outcome) { got.outcome = std::move(outcome); });
  return drive(client, [&] { return got.outcome.has_value(); });
}

TEST(SdkParts, LongTaskAndAnswerComeWhole) {
  test::MiniBroker broker;
  Worker worker(worker_options(broker), echo);
  Client client(client_options(broker));
  for (const std::size_t bytes : {1'300U, 1'400U, 2'000U, 100'000U, 3'000'000U}) {
    Task task = task_of(text_of(bytes));
    task.ttl = 60s;
    const Outcome outcome = client.call(task);
    ASSERT_EQ(outcome.kind, OutcomeKind::kResult) << bytes << " " << outcome.reason;
    EXPECT_TRUE(outcome.text == "you said: " + task.prompt) << bytes;
    EXPECT_EQ(outcome.received, outcome.text.size());
    EXPECT_EQ(outcome.chunks > 1, bytes > 1'350);
    EXPECT_LE(outcome.timing.first_chunk, outcome.timing.total);
    EXPECT_GT(outcome.timing.first_chunk.count(), 0);
  }
}

TEST(SdkParts, SeveralLongOnesAtOnce) {
  test::MiniBroker broker;
  Worker worker(worker_options(broker, 8), echo);
  Client client(client_options(broker));
  std::vector<std::string> prompts;
  std::vector<std::future<Outcome>> outcomes;
  for (std::size_t i = 0; i < 8; ++i) {
    Task task = task_of(text_of(150'000 + i * 1'000));
    task.ttl = 60s;
    prompts.push_back(task.prompt);
    outcomes.push_back(client.send(std::move(task)));
  }
  for (std::size_t i = 0; i < prompts.size(); ++i) EXPECT_TRUE(outcomes[i].get().text == "you said: " + prompts[i]);
}

TEST(SdkParts, PiecesComeInOrderAsTheyAreWritten) {
  test::MiniBroker broker;
  std::latch first_came(1);
  Worker worker(worker_options(broker), [&](const Task&, AnswerStream& stream) {
    EXPECT_TRUE(stream.write("0 "));
    first_came.wait();
    for (int i = 1; i < 500; ++i) EXPECT_TRUE(stream.write(std::to_string(i) + " "));
    return Answer{"end"};
  });
  AsyncClient client(client_options(broker));
  Got got;
  std::string expected;
  for (int i = 0; i < 500; ++i) expected += std::to_string(i) + " ";
  client.submit(
      task_of("count"),
      [&](std::string_view chunk) {
        if (got.chunks.empty()) first_came.count_down();  // it came before the rest was made
        got.chunks.emplace_back(chunk);
      },
      [&](Outcome outcome) { got.outcome = std::move(outcome); });
  ASSERT_TRUE(drive(client, [&] { return got.outcome.has_value(); }));
  EXPECT_TRUE(got.outcome->ok());
  EXPECT_EQ(got.outcome->text, "");
  EXPECT_EQ(got.text(), expected + "end");
  EXPECT_EQ(got.outcome->received, expected.size() + 3);
  EXPECT_EQ(got.outcome->chunks, 501U);
  EXPECT_LE(got.outcome->timing.first_chunk, got.outcome->timing.total);
  EXPECT_EQ(worker.tasks_done(), 1U);
}

TEST(SdkParts, StreamIsTheTextOfWhoAsksForNoChunks) {
  test::MiniBroker broker;
  const std::string long_piece = text_of(200'000);
  Worker worker(worker_options(broker), [&](const Task&, AnswerStream& stream) {
    stream.write("a");
    stream.write("");
    stream.write(long_piece);
    return Answer{};
  });
  Client client(client_options(broker));
  const Outcome outcome = client.call(task_of("hi"));
  EXPECT_TRUE(outcome.ok());
  EXPECT_TRUE(outcome.text == "a" + long_piece);
}

TEST(SdkParts, WholeAnswerIsOneChunk) {
  test::MiniBroker broker;
  Worker worker(worker_options(broker), echo);
  AsyncClient client(client_options(broker));
  Got got;
  ASSERT_TRUE(stream(client, task_of("hi"), got));
  EXPECT_EQ(got.chunks, std::vector<std::string>{"you said: hi"});
  EXPECT_EQ(got.outcome->text, "");
  EXPECT_EQ(got.outcome->chunks, 1U);
}

TEST(SdkParts, StreamThatFailsSaysWhy) {
  test::MiniBroker broker;
  Worker worker(worker_options(broker), [](const Task&, AnswerStream& stream) -> Answer {
    stream.write("half");
    throw std::runtime_error("out of words");
  });
  AsyncClient client(client_options(broker));
  Got got;
  ASSERT_TRUE(stream(client, task_of("hi"), got));
  EXPECT_EQ(got.outcome->kind, OutcomeKind::kWorkerError);
  EXPECT_EQ(got.outcome->text, "out of words");
  EXPECT_EQ(got.text(), "half");
}

TEST(SdkParts, CancelEndsAStreamAtBothEnds) {
  test::MiniBroker broker;
  std::atomic<bool> told = false;
  Worker worker(worker_options(broker), [&](const Task&, AnswerStream& stream) {
    while (stream.write("more ")) continue;
    EXPECT_TRUE(stream.cancelled());
    told = true;
    return Answer{};
  });
  AsyncClient client(client_options(broker));
  Task task = task_of("hi");
  task.id = "endless";
  Got got;
  client.submit(
      std::move(task),
      [&](std::string_view chunk) {
        got.chunks.emplace_back(chunk);
        if (got.chunks.size() == 100) {
          EXPECT_TRUE(client.cancel("endless"));
        }
      },
      [&](Outcome outcome) { got.outcome = std::move(outcome); });
  ASSERT_TRUE(drive(client, [&] { return got.outcome && told; }));
  EXPECT_EQ(got.outcome->kind, OutcomeKind::kCancelled);
  EXPECT_EQ(got.chunks.size(), 100U);
  EXPECT_EQ(got.outcome->received, 500U);
}

TEST(SdkParts, OutcomeHasWhatHadComeOfAnAnswerThatBrokeOff) {
  test::MiniBroker broker;
  const std::string piece = text_of(30'000);
  std::atomic<bool> written = false;
  Worker worker(worker_options(broker), [&](const Task&, AnswerStream& stream) {
    for (int i = 0; i < 20; ++i) stream.write(piece);  // far more than is on its way at once
    written = true;
    while (!stream.cancelled()) std::this_thread::yield();
    return Answer{};
  });
  AsyncClient client(client_options(broker));
  Task task = task_of("hi");
  task.id = "half";
  std::optional<Outcome> outcome;
  client.submit(std::move(task), [&](Outcome ended) { outcome = std::move(ended); });
  ASSERT_TRUE(drive(client, [&] { return written.load(); }));
  EXPECT_TRUE(client.cancel("half"));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->kind, OutcomeKind::kCancelled);
  EXPECT_GT(outcome->received, 400'000U);
  EXPECT_EQ(outcome->received, outcome->text.size());
  std::string all;
  for (int i = 0; i < 20; ++i) all += piece;
  EXPECT_TRUE(all.starts_with(outcome->text));
}

// Of who wants it in one piece; the worker learns so, and stops.
TEST(SdkParts, EndlessAnswerIsGivenUp) {
  test::MiniBroker broker;
  std::atomic<bool> told = false;
  const std::string piece = text_of(30'000);
  Worker worker(worker_options(broker), [&](const Task&, AnswerStream& stream) {
    while (stream.write(piece)) continue;
    told = true;
    return Answer{};
  });
  Client client(client_options(broker));
  Task task = task_of("hi");
  task.ttl = 60s;
  const Outcome outcome = client.call(task);
  EXPECT_EQ(outcome.kind, OutcomeKind::kWorkerError);
  EXPECT_EQ(outcome.reason, "too_large");
  EXPECT_EQ(outcome.executed, Executed::kYes);
  EXPECT_GT(outcome.received, std::size_t{16} << 20);
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!told && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(told);
}

TEST(SdkParts, ClientThatDoesNotReadHoldsUpItsOwnStreamOnly) {
  test::MiniBroker broker;
  std::atomic<std::size_t> written = 0;
  Worker worker(worker_options(broker, 2), [&](const Task& task, AnswerStream& stream) {
    if (task.prompt == "quick") return Answer{"done"};
    while (stream.write(std::string(1'000, 'x'))) written += 1'000;
    return Answer{};
  });
  AsyncClient slow(client_options(broker));
  ASSERT_TRUE(drive(slow, [&] { return slow.registered(); }));
  slow.submit(task_of("stream"), [](const Outcome&) {});
  Client quick(client_options(broker));
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (written < 64'000 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(quick.call(task_of("quick")).text, "done");
  EXPECT_LT(written, 1'000'000U);  // what the window and the handler's own line hold
}

TEST(SdkParts, WorkerThatStopsEndsItsStreams) {
  test::MiniBroker broker;
  std::latch begun(1);
  std::optional<Worker> worker;
  worker.emplace(worker_options(broker), [&](const Task&, AnswerStream& stream) {
    begun.count_down();
    while (stream.write("more ")) continue;
    return Answer{};
  });
  AsyncClient client(client_options(broker));
  ASSERT_TRUE(drive(client, [&] { return client.registered(); }));
  client.submit(task_of("hi"), [](const Outcome&) {});
  begun.wait();
  worker->stop();
  worker.reset();  // joins the handler
}

}  // namespace
}  // namespace mcplane
