// 64,000 workers: what each costs the control thread must not grow with their number.
#include <chrono>
#include <iostream>

#include "control_fixture.h"
#include "fake_prober.h"

namespace mcplane::control {
namespace {

constexpr std::uint32_t kWorkers = 64'000, kPerMs = 64;

class ManyWorkers : public ControlTest {
 protected:
  static constexpr std::uint16_t kProbePort = 9'000;

  HelloSpec hello_of(std::uint32_t number, std::uint8_t instance) const {
    HelloSpec hello = worker_hello(static_cast<std::uint16_t>(1'000 + number % 1'000), instance);
    hello.peer.ip.bytes[15] = static_cast<std::uint8_t>(10 + number / 1'000);
    hello.cookie_ms = 1'000U * instance;
    if (probed_) hello.body.probe = {.kind = wire::ProbeKind::kTcp, .port = kProbePort, .target = {}};
    return hello;
  }

  // What the shard does with its commands; a session that was installed is heard from at once.
  void obey() {
    for (const state::Command& command : take_commands()) {
      if (command.kind == state::CommandKind::kInstallSession) sessions_.push_back(command.record.id);
      if (command.kind == state::CommandKind::kInstallSession) hear(command.record.id);
      if (command.kind == state::CommandKind::kEndSession) punt_ended(command.record.id);
    }
  }
  void run_one_ms() {
    run(1);
    obey();
    shared->routes.quiescent(0);
    if (++ms_ % 100 != 0) return;
    for (const SessionId session : sessions_)
      if (control->registry().at(session.index()).id == session) hear(session);
  }
  void register_all(std::uint8_t instance) {
    const auto start = std::chrono::steady_clock::now();
    const std::size_t known = sessions_.size();  // who has not come back yet goes on PINGing
    for (std::uint32_t number = 0; number < kWorkers; number += kPerMs) {
      for (std::uint32_t i = 0; i < kPerMs; ++i) punt_hello(hello_of(number + i, instance));
      run_one_ms();
    }
    for (int more = 0; more < 100; ++more) run_one_ms();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::cout << kWorkers << " workers registered in " << took.count() << " s of the control thread\n";
    EXPECT_LT(took.count(), 60);
    EXPECT_EQ(sessions_.size() - known, kWorkers);
    EXPECT_EQ(control->registry().workers(), kWorkers);
    EXPECT_EQ(control->published_workers(), kWorkers);
  }

  bool probed_ = false;  // by a health probe

 private:
  std::vector<SessionId> sessions_;
  std::uint64_t ms_ = 0;
};

TEST_F(ManyWorkers, RegisterAndComeBack) {
  shared_options.sessions = options.max_sessions = 65'536;
  shared_options.workers = 65'536;
  start();
  register_all(1);
  EXPECT_LE(routes().generation, 2U) << "they share a pool";
  register_all(2);
}

// Silence is found out for each, although a poll looks at a part of them only.
TEST_F(ManyWorkers, AreEvictedInTime) {
  shared_options.sessions = options.max_sessions = 65'536;
  shared_options.workers = 65'536;
  start();
  register_all(1);
  const auto run_on = [this](std::uint64_t ms) {
    for (; ms > 0; --ms) run(1), discard_commands();
  };
  const std::uint32_t interval_ms = shared->worker_heartbeat_ms;
  EXPECT_EQ(interval_ms, 1'280U) << "50,000 PINGs a second";
  run_on(std::uint64_t{3} * interval_ms - 120);
  EXPECT_EQ(control->registry().workers(), kWorkers);
  run_on(180);
  EXPECT_EQ(control->registry().workers(), 0U);
  EXPECT_TRUE(workers_for("generate").empty());
}

TEST_F(ManyWorkers, AreAskedForTheirHealth) {
  shared_options.sessions = options.max_sessions = 65'536;
  shared_options.workers = 65'536;
  FakeProber prober;
  prober.good[kProbePort] = true;
  options.prober = &prober;
  probed_ = true;
  start();
  register_all(1);
  const auto start = std::chrono::steady_clock::now();
  constexpr std::uint64_t kIntervalMs = 5'000;
  for (std::uint64_t ms = 0; ms < kIntervalMs; ++ms) run_one_ms();
  EXPECT_TRUE(control->breakers().not_closed().empty()) << "each was asked within an interval";
  const std::size_t first = prober.asked.size();
  for (std::uint64_t ms = 0; ms < kIntervalMs; ++ms) run_one_ms();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::cout << prober.asked.size() << " questions in " << took.count() << " s of the control thread and its test\n";
  EXPECT_NEAR(static_cast<double>(prober.asked.size() - first), kWorkers, kWorkers * 0.1);
}

}  // namespace
}  // namespace mcplane::control
