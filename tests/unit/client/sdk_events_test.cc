// Publish and subscribe of the SDK over real loopback sockets, against a broker of the test's own.
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "mcplane/client.h"
#include "support/mini_broker.h"

namespace mcplane {
namespace {

using namespace std::chrono_literals;

ClientOptions options_of(const test::MiniBroker& broker) {
  ClientOptions options;
  options.broker = broker.address();
  options.connect_timeout = 2s;
  return options;
}

// Events as they came, for the thread that waits for them.
class Received {
 public:
  EventCallback callback() {
    return [this](const Event& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::string(event.topic) + "=" + std::string(event.payload));
      arrived_.notify_all();
    };
  }
  // The first `count`, once they are there.
  std::vector<std::string> wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, 10s, [&] { return events_.size() >= count; });
    return events_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::string> events_;
};

// The line of what `act` throws; empty when it throws nothing.
std::string line_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

TEST(SdkEvents, WhoSubscribedGetsWhatMatches) {
  test::MiniBroker broker;
  Client subscriber(options_of(broker)), publisher(options_of(broker));
  Received done, all;
  subscriber.subscribe("agents.*.done", done.callback());
  subscriber.subscribe("agents.>", all.callback(), "group");
  publisher.publish("agents.7.done", "42");
  publisher.publish("other", "no");
  publisher.publish("agents.7.failed", "");
  all.wait(2);
  subscriber.publish("agents.8.done", std::string("\0\xff", 2));
  const std::vector<std::string> both = {"agents.7.done=42", "agents.8.done=" + std::string("\0\xff", 2)};
  EXPECT_EQ(done.wait(2), both);
  EXPECT_EQ(all.wait(3).size(), 3U);
  EXPECT_EQ(subscriber.missed(), 0U);
}

TEST(SdkEvents, UnsubscribedMeansNoCallbackMore) {
  test::MiniBroker broker;
  Client client(options_of(broker));
  Received one, other;
  const SubscriptionId id = client.subscribe("a", one.callback());
  client.subscribe("a", other.callback());
  client.publish("a", "1");
  EXPECT_EQ(one.wait(1).size(), 1U);
  client.unsubscribe(id);
  client.publish("a", "2");
  EXPECT_EQ(other.wait(2).size(), 2U);
  EXPECT_EQ(one.wait(1).size(), 1U);
}

TEST(SdkEvents, CallbacksMayPublishAndUnsubscribe) {
  test::MiniBroker broker;
  Client client(options_of(broker));
  Received answers;
  std::promise<std::string> refused;
  SubscriptionId id{};
  client.subscribe("answer", answers.callback());
  // Its id is written before what is published here can come.
  id = client.subscribe("question", [&](const Event& event) {
    refused.set_value(line_of([&] { client.subscribe("more", {}); }));
    client.unsubscribe(id);
    client.publish("answer", event.payload);
  });
  client.publish("question", "1");
  client.publish("question", "2");
  EXPECT_EQ(answers.wait(1), std::vector<std::string>{"answer=1"});
  EXPECT_EQ(refused.get_future().get(), "subscribe: a callback cannot wait for the broker's answer");
}

TEST(SdkEvents, ManyThreadsPublish) {
  test::MiniBroker broker;
  Client client(options_of(broker));
  Received all;
  client.subscribe("t.*", all.callback());
  constexpr std::size_t kThreads = 4, kEvents = 15;  // together fewer than a socket's buffer holds
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&client, i] {
      for (std::size_t n = 0; n < kEvents; ++n) client.publish("t." + std::to_string(i), std::to_string(n));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(all.wait(kThreads * kEvents).size(), kThreads * kEvents);
}

TEST(SdkEvents, MissedOnesAreCounted) {
  test::MiniBroker broker;
  Client client(options_of(broker));
  Received all;
  client.subscribe("a", all.callback());
  client.publish("a", "1");
  all.wait(1);
  broker.lose_events(3);
  client.publish("a", "2");
  EXPECT_EQ(all.wait(2).size(), 2U);
  const auto end = std::chrono::steady_clock::now() + 5s;
  while (client.missed() != 3 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(client.missed(), 3U);
}

TEST(SdkEvents, MistakesAndRefusalsAreOneLine) {
  test::MiniBroker broker;
  Client client(options_of(broker));
  EXPECT_EQ(line_of([&] { client.subscribe("a..b", {}); }),
            "pattern: \"a..b\" wants 1 to 16 tokens with dots between, * for any one, > at the end for the rest");
  EXPECT_EQ(line_of([&] { client.subscribe("a", {}, "\n"); }),
            "group: \"\n\" wants 1 to 64 bytes without control characters");
  EXPECT_EQ(line_of([&] { client.publish("a.*", "x"); }),
            "topic: \"a.*\" wants 1 to 16 tokens with dots between, without * and >");
  EXPECT_EQ(line_of([&] { client.publish("a", std::string(1'400, 'x')); }),
            "payload: 1400 bytes do not fit one frame with topic \"a\"");
  broker.refuse_subscriptions();
  EXPECT_EQ(line_of([&] { client.subscribe("a", {}); }), "the broker refuses the subscription to \"a\": table_full");
}

TEST(SdkEvents, ASilentBrokerIsNotWaitedForForEver) {
  test::MiniBroker broker;
  ClientOptions options = options_of(broker);
  options.connect_timeout = 200ms;
  Client client(options);
  broker.fall_silent();
  EXPECT_EQ(line_of([&] { client.subscribe("a", {}); }),
            "the broker does not answer the subscription to \"a\" within 200 ms");
}

TEST(SdkEvents, AsyncClientNeverWaits) {
  test::MiniBroker broker;
  AsyncClient client(options_of(broker));
  EXPECT_FALSE(client.publish("a", "too soon"));
  std::string refusal = "none yet", topic;
  client.subscribe(
      "a", [&topic](const Event& event) { topic = event.topic; }, "group",
      [&](std::string_view why) {
        refusal = why;
        EXPECT_TRUE(client.publish("a", "now")) << "from a callback";
      });
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (topic.empty() && std::chrono::steady_clock::now() < end) {
    pollfd waited{client.fd(), POLLIN, 0};
    poll(&waited, 1, 100);
    client.process();
  }
  EXPECT_EQ(refusal, "");
  EXPECT_EQ(topic, "a");
}

TEST(SdkEvents, ClosingAnswersWhoWaits) {
  std::string refusal;
  {
    test::MiniBroker broker;
    AsyncClient client(options_of(broker));
    client.subscribe("a", {}, {}, [&](std::string_view why) { refusal = why; });
  }
  EXPECT_EQ(refusal, "broker_lost");
}

}  // namespace
}  // namespace mcplane
