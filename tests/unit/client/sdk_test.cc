// The SDK over real loopback sockets, against a broker of the test's own.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <optional>
#include <stdexcept>

#include "unit/client/sdk_fixture.h"

namespace mcplane {
namespace {

TEST(Sdk, CallComesBackWithTheAnswer) {
  test::MiniBroker broker;
  Worker worker(worker_options(broker), echo);
  Client client(client_options(broker));
  EXPECT_NE(worker.node_id(), 0U);
  EXPECT_NE(client.node_id(), 0U);
  Task task = task_of("hi");
  task.id = "my task";
  const Outcome outcome = client.call(task);
  EXPECT_EQ(outcome.kind, OutcomeKind::kResult);
  EXPECT_EQ(outcome.text, "you said: hi");
  EXPECT_EQ(outcome.task_id, "my task");
  EXPECT_EQ(outcome.executed, Executed::kYes);
  EXPECT_EQ(outcome.attempt, 1);
  EXPECT_EQ(worker.tasks_done(), 1U);
}

TEST(Sdk, WorkerSeesTheTaskAsItWasSent) {
  test::MiniBroker broker;
  Task seen;
  Worker worker(worker_options(broker), [&seen](const Task& task) {
    seen = task;
    return Answer{"ok"};
  });
  Client client(client_options(broker));
  for (const std::string id :
       {"any text", "00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-AABBCCDDEEFF"}) {
    Task task = task_of("撰写");
    task.id = id;
    task.model = "m";
    task.tags = {"a", "b"};
    task.history = {{"user", "你好"}};
    task.parameters = {{"temperature", "0.2"}};
    task.priority = 3;
    task.idempotent = true;
    task.shadow = true;
    const Outcome outcome = client.call(task);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome.task_id, id);
    EXPECT_EQ(seen.id, id);
    EXPECT_EQ(seen.model, task.model);
    EXPECT_EQ(seen.tags, task.tags);
    EXPECT_EQ(seen.prompt, task.prompt);
    EXPECT_EQ(seen.history, task.history);
    EXPECT_EQ(seen.parameters, task.parameters);
    EXPECT_EQ(seen.priority, 3);
    EXPECT_TRUE(seen.idempotent);
    EXPECT_TRUE(seen.shadow);
    EXPECT_LE(seen.ttl, task.ttl);
  }
}

TEST(Sdk, HandlersErrorsAndExceptionsReachTheClient) {
  test::MiniBroker broker;
  Worker worker(worker_options(broker), [](const Task& task) -> Answer {
    if (task.prompt == "throw") throw std::runtime_error("thrown");
    return {"said", true};
  });
  Client client(client_options(broker));
  const Outcome thrown = client.call(task_of("throw"));
  EXPECT_EQ(thrown.kind, OutcomeKind::kWorkerError);
  EXPECT_EQ(thrown.text, "thrown");
  EXPECT_EQ(client.call(task_of("say")).text, "said");
}

TEST(Sdk, EverySendOfManyHasOneOutcomeThoughTheBrokerRepeats) {
  test::MiniBroker broker;
  broker.repeat_outcomes();
  Worker worker(worker_options(broker, 4), echo);
  ClientOptions options = client_options(broker);
  options.slots = 16;  // the test's broker hands every task to the worker at once
  AsyncClient client(options);
  constexpr std::size_t kTasks = 2'000;
  std::vector<int> outcomes(kTasks);
  std::size_t finished = 0, submitted = 0;
  const auto top_up = [&] {
    // Half as much again as there are slots, and before registration: some wait inside the client.
    while (submitted < kTasks && client.in_flight() < 24) {
      const std::size_t index = submitted++;
      client.submit(task_of(std::to_string(index)), [&, index](Outcome outcome) {
        EXPECT_EQ(outcome.text, "you said: " + std::to_string(index));
        ++outcomes[index];
        ++finished;
      });
    }
  };
  EXPECT_TRUE(drive(client, [&] {
    top_up();
    return finished == kTasks;
  }));
  EXPECT_TRUE(client.registered());
  EXPECT_EQ(outcomes, std::vector<int>(kTasks, 1));
  EXPECT_EQ(client.in_flight(), 0U);
}

// Brokers send ahead of free slots.
TEST(Sdk, AWorkerRunsAsManyAsItHasSlotsAndKeepsTheRest) {
  constexpr int kSlots = 2, kTasks = 16;
  test::MiniBroker broker;
  std::latch both_busy(kSlots);
  std::atomic<int> running = 0, most = 0;
  Worker worker(worker_options(broker, kSlots), [&](const Task& task) {
    const int now = running.fetch_add(1) + 1;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
    if (task.prompt == "first") both_busy.arrive_and_wait();
    running.fetch_sub(1);
    return Answer{"ok"};
  });
  AsyncClient client(client_options(broker));
  int answered = 0;
  for (int i = 0; i < kTasks; ++i)
    client.submit(task_of(i < kSlots ? "first" : "later"),
                  [&](const Outcome& outcome) { answered += outcome.kind == OutcomeKind::kResult ? 1 : 0; });
  EXPECT_TRUE(drive(client, [&] { return answered == kTasks; }));
  EXPECT_EQ(most, kSlots);
}

TEST(Sdk, PingsGoOnWhileHandlerAndApplicationBlock) {
  test::MiniBroker broker;
  std::latch entered(1), leave(1);
  Worker worker(worker_options(broker), [&](const Task&) {
    entered.count_down();
    leave.wait();
    return Answer{"late"};
  });
  Client client(client_options(broker));
  auto outcome = client.send(task_of("block"));
  entered.wait();
  const auto before = broker.pings();
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (broker.pings() < before + 6 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_GE(broker.pings(), before + 6);
  leave.count_down();
  EXPECT_EQ(outcome.get().text, "late");
}

TEST(Sdk, RejectionsSayWhy) {
  test::MiniBroker broker;
  Client client(client_options(broker));
  const Outcome nobody = client.call(task_of("hi"));
  EXPECT_EQ(nobody.kind, OutcomeKind::kRejected);
  EXPECT_EQ(nobody.reason, "no_worker");
  EXPECT_EQ(nobody.retry_after, 50ms);
  EXPECT_EQ(nobody.executed, Executed::kNo);
  const Outcome large = client.call(task_of(std::string((16 << 20) + 1, 'x')));
  EXPECT_EQ(large.kind, OutcomeKind::kRejected);
  EXPECT_EQ(large.reason, "too_large");
  EXPECT_EQ(client.call(task_of(std::string(16 << 20, 'x'))).reason, "too_large");  // with what is around it
  Task nameless = task_of("hi");
  nameless.action = "";
  EXPECT_EQ(client.call(nameless).reason, "malformed: action: wants 1 to 64 bytes without control characters");
}

TEST(Sdk, TaskThatWaitsForRegistrationExpiresUnsent) {
  test::MiniBroker broker;
  broker.fall_silent();
  AsyncClient client(client_options(broker));
  std::optional<Outcome> outcome;
  Task task = task_of("hi");
  task.ttl = 30ms;
  client.submit(task, [&](Outcome ended) { outcome = std::move(ended); });
  ASSERT_TRUE(drive(client, [&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->kind, OutcomeKind::kExpiredUnrouted);
  EXPECT_EQ(outcome->executed, Executed::kNo);
  EXPECT_EQ(outcome->task_id.size(), 36U);
  EXPECT_FALSE(client.registered());
}

TEST(Sdk, ConnectGivesUpInOneLine) {
  test::MiniBroker broker;
  broker.fall_silent();
  ClientOptions options = client_options(broker);
  options.connect_timeout = 30ms;
  try {
    const Client client(options);
    ADD_FAILURE() << "connected to a silent broker";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("no answer from a broker at " + broker.address()), std::string::npos);
  }
}

TEST(Sdk, WorkerOptionsAreChecked) {
  test::MiniBroker broker;
  WorkerOptions options = worker_options(broker);
  options.actions.clear();
  EXPECT_THROW(Worker(options, echo), std::runtime_error);
  options.actions = {"bad\nname"};
  EXPECT_THROW(Worker(options, echo), std::runtime_error);
  options.actions = {"generate"};
  options.probe = "tcp:";
  EXPECT_THROW(Worker(options, echo), std::runtime_error);
}

TEST(Sdk, CancelEndsATaskAndTellsTheBroker) {
  test::MiniBroker broker;
  std::latch leave(1);
  Worker worker(worker_options(broker), [&](const Task&) {
    leave.wait();
    return Answer{"late"};
  });
  Client client(client_options(broker));
  Task task = task_of("hi");
  task.id = "to be cancelled";
  auto outcome = client.send(task);
  client.cancel("another");
  client.cancel(task.id);
  const Outcome ended = outcome.get();
  EXPECT_EQ(ended.kind, OutcomeKind::kCancelled);
  EXPECT_EQ(ended.executed, Executed::kMaybe);
  EXPECT_EQ(ended.task_id, task.id);
  EXPECT_EQ(ended.reason, "cancelled");
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (broker.cancels() == 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_GE(broker.cancels(), 1U);
  leave.count_down();
}

TEST(Sdk, CancelOfWhatNeverLeftSaysNotExecuted) {
  test::MiniBroker broker;
  broker.fall_silent();
  std::vector<Outcome> outcomes;
  AsyncClient client(client_options(broker));
  for (const std::string id : {"a", "b", "a"}) {
    Task task = task_of("hi");
    task.id = id;
    client.submit(task, [&](Outcome ended) { outcomes.push_back(std::move(ended)); });
  }
  EXPECT_TRUE(client.cancel("a"));
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_EQ(outcomes[0].kind, OutcomeKind::kCancelled);
  EXPECT_EQ(outcomes[0].executed, Executed::kNo);
  EXPECT_EQ(client.in_flight(), 1U);
  EXPECT_FALSE(client.cancel("a"));
  EXPECT_FALSE(client.cancel(""));
}

TEST(Sdk, RefusedClientHoldsItsTasksBack) {
  test::MiniBroker broker;
  Worker worker(worker_options(broker), echo);
  std::vector<Outcome> outcomes;
  AsyncClient client(client_options(broker));
  ASSERT_TRUE(drive(client, [&] { return client.registered(); }));
  broker.refuse(200);
  const auto submit = [&] {
    client.submit(task_of("hi"), [&](Outcome ended) { outcomes.push_back(std::move(ended)); });
  };
  submit();
  ASSERT_TRUE(drive(client, [&] { return outcomes.size() == 1; }));
  EXPECT_EQ(outcomes[0].reason, "queue_full");
  const auto refused = std::chrono::steady_clock::now();
  broker.refuse(0);
  submit();
  submit();
  ASSERT_TRUE(drive(client, [&] { return outcomes.size() == 3; }));
  EXPECT_GE(std::chrono::steady_clock::now() - refused, 200ms);
  EXPECT_TRUE(outcomes[1].ok() && outcomes[2].ok());
  EXPECT_EQ(broker.sends(), 3U);
}

TEST(Sdk, ClientTurnsToTheNextBroker) {
  test::MiniBroker first, second;
  first.fall_silent();
  Worker worker(worker_options(second), echo);
  ClientOptions options = client_options(first);
  options.broker += "," + second.address();
  Client client(options);
  EXPECT_EQ(client.call(task_of("hi")).text, "you said: hi");
  EXPECT_EQ(first.sends(), 0U);
}

TEST(Sdk, IdempotentTaskSurvivesItsBroker) {
  test::MiniBroker first, second;
  std::latch entered(1), leave(1);
  Worker stuck(worker_options(first), [&](const Task&) {
    entered.count_down();
    leave.wait();
    return Answer{"too late"};
  });
  Worker worker(worker_options(second), echo);
  ClientOptions options = client_options(first);
  options.broker += "," + second.address();
  Client client(options);
  Task task = task_of("again");
  task.ttl = 20s;
  task.idempotent = true;
  auto survivor = client.send(task);
  entered.wait();
  task.idempotent = false;
  auto victim = client.send(task);
  first.fall_silent();
  EXPECT_EQ(survivor.get().text, "you said: again");
  EXPECT_EQ(victim.get().kind, OutcomeKind::kBrokerLost);
  leave.count_down();
}

TEST(Sdk, WorkerServesSeveralBrokers) {
  test::MiniBroker first, second;
  WorkerOptions options = worker_options(first);
  options.broker += "," + second.address();
  Worker worker(options, echo);
  Client one(client_options(first)), other(client_options(second));
  const auto answered = [](Client& client) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < end)
      if (const Outcome outcome = client.call(task_of("hi")); outcome.ok()) return true;
    return false;  // the second registration may take a while longer
  };
  EXPECT_TRUE(answered(one));
  EXPECT_TRUE(answered(other));
  EXPECT_EQ(worker.tasks_done(), 2U);
}

TEST(Sdk, DestructorEndsWhatIsInFlightAndSaysBye) {
  test::MiniBroker broker;
  std::latch leave(1);
  std::optional<Worker> worker;
  worker.emplace(worker_options(broker), [&](const Task&) {
    leave.wait();
    return Answer{"late"};
  });
  std::future<Outcome> outcome;
  {
    Client client(client_options(broker));
    outcome = client.send(task_of("hi"));
  }
  const Outcome ended = outcome.get();
  EXPECT_EQ(ended.kind, OutcomeKind::kBrokerLost);
  leave.count_down();
  worker->stop();
  worker->run();
  worker.reset();
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (broker.byes() < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(broker.byes(), 2U);
}

}  // namespace
}  // namespace mcplane
