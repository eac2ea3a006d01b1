// What the page is told: readings a second apart by the clock of the test, and the feed that carries them.
#include "control/reports/live_report.h"

#include <gtest/gtest.h>

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "control/admin/dashboard.h"
#include "control/admin/http_listener.h"
#include "control/admin/live_feed.h"
#include "control/control_thread.h"
#include "control_fixture.h"

namespace mcplane::control {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class LiveTest : public ControlTest {
 protected:
  static constexpr wire::Endpoint kLoopback{wire::IpAddress::v4({127, 0, 0, 1}), 0};

  // A second later.
  json next() {
    now_ns += kNsPerSecond;
    poll();
    return json::parse(report.next(*control, true));
  }

  LiveReport report;
};

TEST_F(LiveTest, RatesAreOfTheLastSecond) {
  options.cores = {3, 5};
  options.port_names = {"tap:mc0"};
  PortState port;
  port.rx_frames = 1'000;
  port.rx_missed = 1;
  port.rx_no_buffer = 2;
  options.hooks.ports = [&port] { return std::vector<PortState>{port}; };
  start(2);
  auto& first = shared->shards[0]->counters;
  auto& second = shared->shards[1]->counters;
  first.accepted.add(1'000);
  first.delivered.add(900);
  first.busy_ns.add(100);
  const json at_start = next();
  EXPECT_EQ(at_start["rates"]["accepted"], 0) << "nobody knows what was before";
  EXPECT_EQ(at_start["latency_us"]["task"], nullptr);
  EXPECT_EQ(at_start["drops"], json::array());

  first.accepted.add(300);
  second.accepted.add(100);
  second.delivered.add(250);
  second.in_state[raw(state::TaskState::kQueued)].add(7);
  first.in_state[raw(state::TaskState::kRouted)].add(2);
  second.in_state[raw(state::TaskState::kRunning)].add(3);
  first.busy_ns.add(kNsPerSecond / 4);
  second.rejected[static_cast<std::size_t>(wire::Reason::NoWorker)].add(20);
  second.rejected[static_cast<std::size_t>(wire::Reason::UnknownSession)].add(9);
  first.dropped[static_cast<std::size_t>(DropReason::kBadMagic)].add(4);
  for (std::uint32_t us = 1; us <= 100; ++us) shared->shards[us % 2]->timings.task.add(us * kNsPerUs);
  port.rx_frames += 50;
  const json live = next();
  EXPECT_EQ(live["rates"]["accepted"], 400);
  EXPECT_EQ(live["rates"]["delivered"], 250);
  EXPECT_EQ(live["rates"]["rejected"], 20);
  EXPECT_EQ(live["queued"], 7);
  EXPECT_EQ(live["in_flight"], 5);
  EXPECT_EQ(live["cores"], json::parse(R"([{"id":0,"cpu":3,"busy":0.25,"accepted":300.0,"queued":0},)"
                                       R"({"id":1,"cpu":5,"busy":0.0,"accepted":100.0,"queued":7}])"));
  EXPECT_EQ(live["rejected"], json::parse(R"([{"reason":"no_worker","per_s":20.0,"total":20}])"));
  EXPECT_EQ(live["drops"], json::parse(R"([{"reason":"bad_magic","per_s":4.0,"total":4}])"));
  EXPECT_EQ(live["ports"],
            json::parse(R"([{"name":"tap:mc0","link":"up","frames_in":50.0,"frames_out":0.0,"lost":3}])"));
  EXPECT_NEAR(live["latency_us"]["task"]["p50"].get<double>(), 50, 2);
  EXPECT_NEAR(live["latency_us"]["task"]["p99"].get<double>(), 99, 4);
  EXPECT_EQ(live["latency_us"]["queue"], nullptr);
  EXPECT_EQ(live["point"]["p50"], live["latency_us"]["task"]["p50"]);
  EXPECT_EQ(next()["latency_us"]["task"], nullptr) << "nothing ended in that second";
}

TEST_F(LiveTest, ACoreThatFindsLittleInManyLoopsIsAsBusyAsTheirTime) {
  start();
  next();
  auto& counters = shared->shards[0]->counters;
  counters.loops.add(1'000'000);
  counters.busy_loops.add(10);
  counters.busy_ns.add(9 * kNsPerSecond / 10);
  EXPECT_NEAR(next()["cores"][0]["busy"].get<double>(), 0.9, 0.001);
}

TEST_F(LiveTest, WorkersAreTheLoadedOnesAndACountOfTheRest) {
  constexpr std::uint32_t kWorkers = LiveReport::kWorkersMax + 3;
  shared_options.sessions = options.max_sessions = 512;
  shared_options.workers = 256;
  start();
  paused = {true};  // nobody's lease runs
  std::vector<SessionId> workers;
  for (std::uint32_t i = 0; i < kWorkers; ++i)
    workers.push_back(join_worker(worker_hello(static_cast<std::uint16_t>(2'000 + i))));
  const WorkerId loaded{kWorkers - 1};
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(shared->workers.try_acquire(loaded));
  const json live = next()["workers"];
  EXPECT_EQ(live["total"], kWorkers);
  EXPECT_EQ(live["shown"].size(), LiveReport::kWorkersMax);
  EXPECT_EQ(live["shown"][0]["outstanding"], 2);
  EXPECT_EQ(live["rest"], json::parse(R"({"count":3,"slots":9,"outstanding":0})"));

  ASSERT_EQ(control->force_breaker(workers[100], BreakerMode::kForcedOpen), "");
  shared->shards[0]->outcomes.add_success(loaded);
  const json later = next()["workers"];
  EXPECT_EQ(later["out"], 1);
  EXPECT_EQ(later["shown"][0]["breaker"], "open") << "who is out comes first";
  EXPECT_NE(later["shown"][0]["reason"], "");
  EXPECT_EQ(later["shown"][1]["tasks_per_s"], 1);
  EXPECT_EQ(later["shown"][2]["tasks_per_s"], 0);
}

TEST_F(LiveTest, HistoryIsOfTheLastMinutes) {
  start();
  EXPECT_EQ(report.history(), "[]");
  for (std::size_t i = 0; i < LiveReport::kPointsMax + 5; ++i) {
    shared->shards[0]->counters.delivered.add(i);
    now_ns += kNsPerSecond;
    poll();
    EXPECT_EQ(report.next(*control, false), "");
  }
  const json history = json::parse(report.history());
  ASSERT_EQ(history.size(), LiveReport::kPointsMax);
  EXPECT_EQ(history.back()["delivered"], LiveReport::kPointsMax + 4);
  EXPECT_EQ(history[1]["t"].get<double>() - history[0]["t"].get<double>(), 1);
}

// Reads the feed until it has that many events; their names.
std::vector<std::string> listen(const HttpListener& http, std::size_t events) {
  httplib::Client client("127.0.0.1", http.at().port);
  std::string text;
  std::vector<std::string> names;
  client.Get("/v1/live", [&](const char* data, std::size_t size) {
    text.append(data, size);
    for (std::size_t end = text.find("\n\n"); end != std::string::npos; end = text.find("\n\n")) {
      EXPECT_TRUE(json::accept(text.substr(text.find("data: ") + 6, end - text.find("data: ") - 6))) << text;
      names.push_back(text.substr(7, text.find('\n') - 7));
      text.erase(0, end + 2);
    }
    return names.size() < events;
  });
  return names;
}

TEST_F(LiveTest, TheFeedBeginsWithTheHistory) {
  start();
  const ControlThread thread(*control);
  const HttpListener http(*control, kLoopback, 1s, 5ms);
  EXPECT_EQ(listen(http, 4), (std::vector<std::string>{"history", "live", "live", "live"}));
}

TEST_F(LiveTest, ListenersAreFewAndHoldNobodyUp) {
  start();
  auto http = std::make_unique<HttpListener>(*control, kLoopback, 1s, 5ms);
  const ControlThread thread(*control);
  std::atomic<std::size_t> listening{0};
  std::vector<std::thread> listeners;
  for (std::size_t i = 0; i < LiveFeed::kListenersMax; ++i)
    listeners.emplace_back([&] {
      httplib::Client client("127.0.0.1", http->at().port);
      bool counted = false;
      client.Get("/v1/live", [&](const char*, std::size_t) {
        if (!std::exchange(counted, true)) ++listening;
        return true;
      });
    });
  while (listening < LiveFeed::kListenersMax) std::this_thread::sleep_for(1ms);
  httplib::Client client("127.0.0.1", http->at().port);
  const auto refused = client.Get("/v1/live");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(json::parse(refused->body)["error"], "8 listen already; close one of them");
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  http.reset();  // and all of them are let go
  for (std::thread& listener : listeners) listener.join();
}

TEST_F(LiveTest, ThePageAsksNobodyElse) {
  start();
  HttpListener http(*control, kLoopback);
  httplib::Client client("127.0.0.1", http.at().port);
  std::string all;
  for (const DashboardFile& file : dashboard_files()) {
    const auto answer = client.Get(file.path);
    ASSERT_TRUE(answer) << file.path;
    EXPECT_EQ(answer->status, 200) << file.path;
    EXPECT_EQ(answer->get_header_value("Content-Type"), file.type);
    EXPECT_TRUE(
        answer->get_header_value("Content-Security-Policy").starts_with("default-src 'none'; script-src 'self'"));
    EXPECT_EQ(answer->body, file.content);
    all += answer->body;
  }
  EXPECT_NE(all.find("<!doctype html>"), std::string::npos);
  EXPECT_EQ(all.find("innerHTML"), std::string::npos) << "names come from peers";
}

}  // namespace
}  // namespace mcplane::control
