// Real threads under load: every task delivered once, whatever core its frames arrive at, while workers come and go and
// reports are read. Bounded by tasks; what the TSan build is for.
#include <gtest/gtest.h>

#include "client/client_engine.h"
#include "client/worker_engine.h"
#include "wire_side.h"

namespace mcplane {
namespace {

using testing::BrokerOptions;
using testing::BrokerThreads;
using testing::WireSide;

constexpr std::uint16_t kClients = 8, kWorkers = 4, kVisitor = kClients + kWorkers, kEndpoints = kVisitor + 1;
constexpr std::uint16_t kWorkerSlots = 6, kClientSlots = 16, kMtu = 1'500;
constexpr std::uint32_t kTasks = 8'000, kTtlMs = 120'000;
constexpr std::uint32_t kVisits = 8;

wire::HelloBody hello_of(wire::Service service, std::uint16_t slots, std::string action) {
  wire::HelloBody hello;
  hello.service = service;
  hello.slots = slots;
  if (service == wire::Service::kWorker) hello.actions = {std::move(action)};
  return hello;
}

struct Task {
  std::vector<std::byte> payload;
  std::uint32_t executed = 0, delivered = 0;
};

class Threads : public ::testing::TestWithParam<BrokerOptions> {
 protected:
  Threads() {
    for (std::uint32_t i = 0; i < kTasks; ++i)
      tasks_[i].payload = wire::write_answer("task " + std::to_string(i) + std::string(i % 700, 'x'));
    for (std::uint16_t i = 0; i < kClients; ++i) {
      clients_.emplace_back(broker_address(), hello_of(wire::Service::kClient, kClientSlots, ""), kMtu,
                            Random(100 + i));
      clients_.back().start(BrokerThreads::now_ns(), out_);
      wire_.send(i, out_);
    }
    for (std::uint16_t i = 0; i < kWorkers; ++i) start_worker("generate", static_cast<std::uint16_t>(kClients + i));
    start_worker("elsewhere", kVisitor);
  }

  static wire::Endpoint broker_address() { return testing::our_endpoint(testing::Family::kIpv4); }

  void start_worker(const char* action, std::uint16_t endpoint) {
    auto engine =
        std::make_unique<client::WorkerEngine>(broker_address(), hello_of(wire::Service::kWorker, kWorkerSlots, action),
                                               kMtu, Random(endpoint + 1'000 * ++lives_));
    engine->start(BrokerThreads::now_ns(), out_);
    wire_.send(endpoint, out_);
    workers_[endpoint - kClients] = std::move(engine);
  }

  void on_client(std::uint16_t index, std::span<const std::byte> datagram, const wire::Endpoint& from) {
    std::vector<client::Completion> done;
    clients_[index].on_datagram(datagram, from, BrokerThreads::now_ns(), out_, done);
    for (const client::Completion& completion : done) {
      ASSERT_TRUE(completion.delivered) << wire::fb::EnumNameReason(completion.reason);
      Task& task = tasks_.at(completion.context);
      EXPECT_TRUE(std::ranges::equal(completion.payload, task.payload)) << "task " << completion.context;
      ++task.delivered;
      ++delivered_;
    }
    wire_.send(index, out_);
  }

  // Echoes at once.
  void on_worker(std::uint16_t endpoint, std::span<const std::byte> datagram, const wire::Endpoint& from) {
    std::vector<client::Assignment> assigned;
    client::WorkerEngine& engine = *workers_[endpoint - kClients];
    engine.on_datagram(datagram, from, BrokerThreads::now_ns(), out_, assigned);
    for (const client::Assignment& assignment : assigned) {
      std::uint32_t number = 0;
      std::memcpy(&number, assignment.task_id.data(), sizeof number);
      ++tasks_.at(number).executed;
      engine.finish(assignment.token, assignment.attempt, assignment.payload, false, BrokerThreads::now_ns(), out_);
    }
    wire_.send(endpoint, out_);
  }

  void on_timers() {
    const std::uint64_t now_ns = BrokerThreads::now_ns();
    std::vector<client::Completion> done;
    for (std::uint16_t i = 0; i < kEndpoints; ++i) {
      if (i < kClients) clients_[i].on_timer(now_ns, out_, done);
      if (i >= kClients) workers_[i - kClients]->on_timer(now_ns, out_);
      wire_.send(i, out_);
    }
    EXPECT_TRUE(done.empty());
  }

  void send_tasks() {
    for (std::uint16_t i = 0; i < kClients; ++i) {
      while (sent_ < kTasks && clients_[i].slots_free() > 0) {
        client::SendRequest request;
        request.context = sent_;
        std::memcpy(request.task_id.data(), &sent_, sizeof sent_);
        request.ttl_ms = kTtlMs;
        request.table = table_;
        request.payload = tasks_[sent_].payload;
        ASSERT_EQ(clients_[i].send(request, BrokerThreads::now_ns(), out_), client::SendStatus::kSent);
        ++sent_;
      }
      wire_.send(i, out_);
    }
  }

  // A new process on the visitor's address each time the last one was published: sessions end and snapshots change
  // under the load.
  void replace_visitor() {
    const bool published =
        broker_.published_workers() == kWorkers + 1U && broker_.route_generation() > visit_generation_;
    if (visits_ == kVisits || !published || !workers_[kWorkers]->session().registered()) return;
    ++visits_;
    visit_generation_ = broker_.route_generation();
    start_worker("elsewhere", kVisitor);
  }

  void turn() {
    if (++turns_ % 64 == 0) {
      broker_.look_at_reports();
      on_timers();
      replace_visitor();
    }
    const std::size_t received = wire_.receive([this](std::uint16_t endpoint, auto datagram, const auto& from) {
      if (endpoint < kClients) return on_client(endpoint, datagram, from);
      if (endpoint < kEndpoints) on_worker(endpoint, datagram, from);
    });
    if (received == 0) std::this_thread::yield();
  }

  template <class Condition>
  void run_until(const char* what, Condition condition) {
    const std::uint64_t deadline_ns = BrokerThreads::now_ns() + 60 * kNsPerSecond;
    while (!condition()) {
      turn();
      ASSERT_FALSE(HasFatalFailure());
      ASSERT_LT(BrokerThreads::now_ns(), deadline_ns) << "waiting for: " << what;
    }
  }

  void say_bye() {
    std::vector<client::Completion> done;
    for (std::uint16_t i = 0; i < kEndpoints; ++i) {
      if (i < kClients) clients_[i].close(BrokerThreads::now_ns(), out_, done);
      if (i >= kClients) workers_[i - kClients]->close(BrokerThreads::now_ns(), out_);
      wire_.send(i, out_);
    }
    EXPECT_TRUE(done.empty());
  }

  BrokerThreads broker_{GetParam()};
  WireSide wire_{broker_};
  client::Outbox out_;
  const std::vector<std::byte> table_ = wire::write_route_table("generate", "", {}, "");
  std::vector<Task> tasks_{kTasks};
  std::vector<client::ClientEngine> clients_;
  std::array<std::unique_ptr<client::WorkerEngine>, kWorkers + 1> workers_;
  std::uint32_t sent_ = 0, delivered_ = 0, visits_ = 0, lives_ = 0;
  std::uint64_t turns_ = 0, visit_generation_ = 0;
};

TEST_P(Threads, EveryTaskIsDeliveredOnce) {
  run_until("workers published", [this] { return broker_.published_workers() == kWorkers + 1U; });
  run_until("clients registered", [this] {
    return std::ranges::all_of(clients_, [](auto& client) { return client.session().registered(); });
  });
  run_until("every answer, every visit", [this] {
    send_tasks();
    return delivered_ == kTasks && visits_ == kVisits && workers_[kWorkers]->session().registered();
  });
  say_bye();
  run_until("all gone", [this] { return broker_.live_sessions() == 0; });
  int quiet_looks = 0;
  run_until("every frame received", [&] {
    quiet_looks = broker_.received_from_wire() == wire_.injected() ? quiet_looks + 1 : 0;
    return quiet_looks == 100;
  });
  broker_.stop();
  while (wire_.receive([](auto...) {}) > 0) {
  }
  wire_.give_buffers_back();

  EXPECT_EQ(broker_.check_balance(wire_.injected(), wire_.taken()), "");
  EXPECT_EQ(wire_.unsound(), 0U);
  for (const Task& task : tasks_) ASSERT_TRUE(task.executed == 1 && task.delivered == 1);
  std::uint64_t accepted = 0, handed_off = 0;
  for (std::uint32_t i = 0; i < GetParam().shards; ++i) {
    accepted += broker_.counters(i).accepted.read();
    handed_off += broker_.counters(i).handed_off.read();
    EXPECT_EQ(broker_.counters(i).relayed.read() > 0, i >= GetParam().queues);
  }
  EXPECT_EQ(accepted, kTasks);
  EXPECT_GT(handed_off, wire_.injected() / 3);
}

INSTANTIATE_TEST_SUITE_P(Brokers, Threads,
                         ::testing::Values(BrokerOptions{2, 2}, BrokerOptions{4, 4}, BrokerOptions{4, 2}),
                         [](const auto& given) {
                           return std::to_string(given.param.shards) + "ShardsOn" + std::to_string(given.param.queues) +
                                  "Queues";
                         });

}  // namespace
}  // namespace mcplane
