// A whole run over loopback sockets: the shell, the threads and the event loop, against the fake broker's protocol.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "client/udp_socket.h"
#include "fake_world.h"
#include "loadgen/run.h"
#include "support/loopback.h"

namespace mcplane::loadgen {
namespace {

// FakeBroker behind a real socket on a port the kernel picks, on a thread of its own.
class LoopbackBroker {
 public:
  explicit LoopbackBroker(const Faults& faults) : broker_(faults), socket_({wire::IpAddress::v4({127, 0, 0, 1}), 0}) {
    port_ = test::bind_to_loopback(socket_.fd());
    broker_.set_port(port_);
    thread_ = std::thread([this] { serve(); });
  }
  ~LoopbackBroker() {
    stop_.store(true);
    thread_.join();
  }
  wire::Endpoint endpoint() const noexcept { return {wire::IpAddress::v4({127, 0, 0, 1}), port_}; }

 private:
  void serve() {
    client::Outbox outbox;
    while (!stop_.load()) {
      pollfd readable{socket_.fd(), POLLIN, 0};
      poll(&readable, 1, 10);
      for (const auto& received : socket_.receive())
        for (const auto& reply : broker_.handle(received.datagram, received.from)) {
          if (outbox.full()) socket_.send(outbox);
          std::ranges::copy(reply.view(), outbox.reserve().begin());
          outbox.commit(reply.view().size(), reply.to);
        }
      socket_.send(outbox);
    }
  }

  FakeBroker broker_;
  client::UdpSocket socket_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

Options short_run(const wire::Endpoint& broker) {
  Options options;
  options.broker = broker;
  options.clients = 4;
  options.window = 8;
  options.workers = 2;
  options.warmup_ns = 20 * kNsPerMs;
  options.duration_ns = 200 * kNsPerMs;
  return options;
}

TEST(Sockets, ClosedLoopWithInProcessWorkersLosesNothing) {
  LoopbackBroker broker({});
  Progress progress;
  const std::atomic<bool> stop{false};
  const RunResult result = run(short_run(broker.endpoint()), progress, stop);
  ASSERT_EQ(result.status, RunStatus::kFinished) << result.problem;
  EXPECT_GT(result.tally.sent, 100U);
  EXPECT_EQ(result.tally.delivered(), result.tally.sent);
  EXPECT_TRUE(objective_met(result));
  EXPECT_GT(result.cpu.clients, 0.0);
  EXPECT_GT(result.cpu.workers, 0.0);
  EXPECT_FALSE(result.interrupted);
}

TEST(Sockets, OpenLoopSendsEveryTaskOfItsSchedule) {
  LoopbackBroker broker({});
  Options options = short_run(broker.endpoint());
  options.rate_per_second = 2'000;
  Progress progress;
  const std::atomic<bool> stop{false};
  const RunResult result = run(options, progress, stop);
  ASSERT_EQ(result.status, RunStatus::kFinished) << result.problem;
  EXPECT_EQ(result.tally.sent + result.tally.skipped, 440U);
  EXPECT_EQ(result.tally.delivered(), result.tally.sent);
}

TEST(Sockets, StopBeforeTheEndIsAnInterruptedRunThatStillDrains) {
  LoopbackBroker broker({});
  Options options = short_run(broker.endpoint());
  options.duration_ns = 3'600 * kNsPerSecond;
  Progress progress;
  std::atomic<bool> stop{false};
  // The first published second shows that the run is under way.
  std::thread stopper([&] {
    progress.updates.wait(0);
    stop.store(true);
  });
  const RunResult result = run(options, progress, stop);
  stopper.join();
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.tally.delivered(), result.tally.sent);
  EXPECT_TRUE(objective_met(result));
}

}  // namespace
}  // namespace mcplane::loadgen
