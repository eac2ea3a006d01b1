// The admin socket: HTTP over AF_UNIX, in a folder of the test's own.
#include "control/admin/admin.h"

#include <gtest/gtest.h>

#include <httplib.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <map>
#include <string>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "control/control_thread.h"
#include "control/reports/report.h"
#include "control_fixture.h"

namespace mcplane::control {
namespace {

using nlohmann::json;

class AdminTest : public ControlTest {
 protected:
  AdminTest() {
    char pattern[] = "/tmp/mcplane-admin-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    path_ = folder_ + "/run/admin.sock";
  }
  ~AdminTest() override { std::filesystem::remove_all(folder_); }

  httplib::Result get(const std::string& target) const {
    httplib::Client client(path_, 1);
    client.set_address_family(AF_UNIX);
    return client.Get(target.c_str());
  }

  httplib::Result post(const std::string& target) const {
    httplib::Client client(path_, 1);
    client.set_address_family(AF_UNIX);
    return client.Post(target.c_str());
  }

  std::string folder_, path_;
};

TEST_F(AdminTest, AnswersWhileTheControlThreadRuns) {
  start();
  Admin admin(*control, path_);
  const ControlThread thread(*control);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0660U);

  const auto health = get("/healthz");
  ASSERT_TRUE(health);
  EXPECT_EQ(health->status, 200);
  EXPECT_EQ(health->body, "ok\n");
  const auto ready = get("/readyz");
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->status, 503);
  EXPECT_EQ(ready->body, "no worker\n");
  const auto info = get("/v1/info");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->status, 200);
  EXPECT_EQ(info->get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(json::parse(info->body)["version"], "1.2.3");
  const auto nodes = get("/v1/nodes");
  ASSERT_TRUE(nodes);
  EXPECT_EQ(json::parse(nodes->body), json({{"nodes", json::array()}}));
  const auto subscriptions = get("/v1/subscriptions");
  ASSERT_TRUE(subscriptions);
  EXPECT_EQ(json::parse(subscriptions->body), json({{"subscribers", json::array()}}));
  const auto unknown = get("/v1/nothing");
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->status, 404);
  EXPECT_EQ(json::parse(unknown->body), json({{"error", "unknown path /v1/nothing"}}));
}

TEST_F(AdminTest, MeasuringIsSwitchedByPostOnly) {
  start();
  Admin admin(*control, path_);
  const ControlThread thread(*control);
  const auto on = post("/v1/perf/on");
  ASSERT_TRUE(on);
  EXPECT_EQ(on->status, 200);
  EXPECT_EQ(json::parse(on->body)["on"], true);
  EXPECT_NE(shared->perf_run.load(), 0U);
  const auto asked = get("/v1/perf/off");
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->status, 404);
  EXPECT_NE(shared->perf_run.load(), 0U);
  const auto off = post("/v1/perf/off");
  ASSERT_TRUE(off);
  EXPECT_EQ(json::parse(off->body)["on"], false);
  EXPECT_EQ(shared->perf_run.load(), 0U);
  const auto shown = get("/v1/perf");
  ASSERT_TRUE(shown);
  EXPECT_EQ(json::parse(shown->body)["on"], false);
}

TEST_F(AdminTest, EveryChangeIsWrittenDownAndNoQuestionIs) {
  std::vector<AuditEntry> entries;
  options.audit = [&entries](const AuditEntry& entry) { entries.push_back(entry); };
  start();
  {
    Admin admin(*control, path_);
    const ControlThread thread(*control);
    get("/v1/info");
    post("/v1/perf/on");
    post("/v1/degradation/on?route=paint&by=ada");
    post("/v1/nothing");
  }
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].command, "/v1/perf/on");
  EXPECT_EQ(entries[0].status, 200);
  EXPECT_EQ(entries[0].user, ::getpwuid(::geteuid())->pw_name);
  EXPECT_EQ(entries[1].command, "/v1/degradation/on");
  EXPECT_EQ(entries[1].arguments, "by=ada&route=paint");
  EXPECT_EQ(entries[1].status, 404);
  EXPECT_EQ(entries[2].status, 404);
}

TEST_F(AdminTest, IsReadyWithAWorkerAndNotWhileDraining) {
  start();
  const SessionId id = join_worker(worker_hello());
  ASSERT_TRUE(id);
  Admin admin(*control, path_);
  paused[0] = true;  // the lease stands still
  const ControlThread thread(*control);
  const auto ready = get("/readyz");
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->status, 200);
  EXPECT_EQ(ready->body, "ready\n");
  ASSERT_TRUE(control->post([&] { control->drain(); }));
  const auto draining = get("/readyz");
  ASSERT_TRUE(draining);
  EXPECT_EQ(draining->status, 503);
}

TEST_F(AdminTest, SaysSoWhenNobodyPolls) {
  start();
  Admin admin(*control, path_, std::chrono::milliseconds(5));
  const auto health = get("/healthz");
  ASSERT_TRUE(health);
  EXPECT_EQ(health->status, 503);
  EXPECT_TRUE(json::parse(health->body).contains("error"));
  poll();  // the late request finds its promise alive
}

TEST_F(AdminTest, TakesOverAStaleSocketOnly) {
  start();
  std::filesystem::create_directories(folder_ + "/run");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  const int stale = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(stale);
  {
    Admin admin(*control, path_);
    EXPECT_THROW(Admin(*control, path_), std::runtime_error);
    EXPECT_TRUE(std::filesystem::exists(path_));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  std::ofstream(path_) << "precious";
  EXPECT_THROW(Admin(*control, path_), std::runtime_error);
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_THROW(Admin(*control, folder_ + "/" + std::string(200, 'x')), std::runtime_error);
  EXPECT_THROW(Admin(*control, path_ + "/inside/a.sock"), std::runtime_error);
}

TEST_F(ControlTest, InfoTellsEverythingInItsPlace) {
  options.cores = {2, 3};
  options.memory.task_bytes = 80;
  options.memory.tables_bytes = 1'000'000;
  options.hooks.buffers = [] { return BufferUse{100, 40}; };
  options.hooks.ports = [] {
    return std::vector<PortState>{{.name = "tap:west",
                                   .queues = 2,
                                   .offloads = "UDP checksum",
                                   .rx_frames = 1,
                                   .tx_frames = 2,
                                   .rx_missed = 3,
                                   .rx_errors = 4,
                                   .tx_errors = 5,
                                   .rx_no_buffer = 6}};
  };
  start(2);
  join_worker(worker_hello(1'000));
  join(client_hello(1'001));
  for (auto& shard : shared->shards) {
    shard->counters.accepted.add(10);
    shard->counters.delivered.add(7);
    shard->counters.rejected[static_cast<std::size_t>(wire::Reason::NoWorker)].add(2);
    shard->counters.rejected[static_cast<std::size_t>(wire::Reason::QueueFull)].add(1);
    shard->counters.shadow.accepted.add(5);
    shard->counters.shadow.rejected[static_cast<std::size_t>(wire::Reason::NoWorker)].add(4);
    shard->counters.mirror.accepted.add(3);
    shard->counters.mirror.delivered.add(2);
    shard->counters.mirror.in_state[raw(state::TaskState::kRunning)].add(1);
    shard->counters.mirror_over_cap.add(6);
    shard->counters.received.add(100);
    shard->counters.loops.add(8);
    shard->counters.busy_ns.add(5 * kNsPerMs);
    shard->counters.asleep_ns.add(7 * kNsPerMs);
    shard->counters.dropped[static_cast<std::size_t>(DropReason::kBadMagic)].add(4);
  }
  now_ns += 90 * kNsPerSecond;
  link_up[0] = false;
  poll();
  const json info = json::parse(info_json(*control));
  EXPECT_EQ(info["boot_id"], "00b0071d");
  EXPECT_EQ(info["uptime_s"], 90);
  EXPECT_EQ(info["ips"], json({"10.0.0.1", "fd00::1"}));
  EXPECT_EQ(info["base_port"], testing::kOurPort);
  EXPECT_EQ(info["shards"], 2);
  EXPECT_EQ(info["cores"], json({2, 3}));
  EXPECT_EQ(info["mtu"], 1'500);
  EXPECT_EQ(info["link_up"], false);
  EXPECT_EQ(info["ports"], json::parse(R"([{"name":"tap:west","link":"up","queues":2,"offloads":"UDP checksum",)"
                                       R"("neighbours":1,"rx_frames":1,"tx_frames":2,"rx_missed":3,"rx_errors":4,)"
                                       R"("tx_errors":5,"rx_no_buffer":6,"ips":["10.0.0.1","fd00::1"]}])"));
  EXPECT_EQ(
      info["per_shard"][1],
      json::parse(
          R"({"id":1,"cpu":3,"received":100,"forwarded":0,"handed_off":0,)"
          R"("accepted":10,"degraded":{"cached":0,"fallback":0,"reply":0,"skip":0},"loops":8,"busy_loops":0,"busy_ms":5,"asleep_ms":7})"));
  EXPECT_EQ(info["per_shard"].size(), 2U);
  EXPECT_EQ(info["sessions"], json({{"clients", 1}, {"workers", 1}, {"shadow_workers", 0}}));
  const std::map<std::string, int> tasks = {{"accepted", 20}, {"delivered", 14}, {"rejected", 6}};
  for (const auto& [name, value] : info["tasks"].items())
    EXPECT_EQ(value, tasks.contains(name) ? tasks.at(name) : 0) << name;
  const std::map<std::string, int> shadow = {{"accepted", 10}, {"rejected", 8}};
  for (const auto& [name, value] : info["shadow"].items())
    EXPECT_EQ(value, shadow.contains(name) ? shadow.at(name) : 0) << name;
  EXPECT_EQ(info["shadow"].size(), info["tasks"].size());
  EXPECT_EQ(info["mirror"], json::parse(R"({"copied":6,"answered":4,"expired":0,"lost":0,"under_way":2,"no_worker":0,)"
                                        R"("over_cap":12,"no_buffer":0})"));
  for (const char* name : {"expired_unrouted", "expired_routed", "worker_lost", "client_lost", "cancelled",
                           "rejected_late", "degraded_late", "failed_over", "queued", "routed", "running", "pulling",
                           "delivering", "rejecting", "cancelling"})
    EXPECT_TRUE(info["tasks"].contains(name)) << name;
  EXPECT_EQ(info["frames"]["received"], 200);
  EXPECT_EQ(info["drops"], json({{"bad_magic", 8}}));
  EXPECT_EQ(info["stalls"], 0);
  EXPECT_EQ(info["buffers"], json({{"total", 100}, {"free", 40}}));
  EXPECT_EQ(info["memory"]["task_bytes"], 80);
  EXPECT_EQ(info["memory"]["tables_bytes"], 1'000'000);
  EXPECT_GT(info["memory"]["index_bytes"], 0) << "one worker is up";
}

TEST_F(ControlTest, NodesTellsWhoIsThere) {
  start();
  HelloSpec hello = worker_hello(1'000, 1, {"summarize", "generate"});
  hello.body.models = {"llama"};
  hello.body.name = "gpu \xff";  // no UTF-8
  const SessionId worker = join_worker(hello);
  ASSERT_EQ(shared->workers.try_acquire(WorkerId{0}), worker);
  hear(worker);
  run(5);
  join(client_hello(1'001));
  run(40);
  const json nodes = json::parse(nodes_json(*control))["nodes"];
  ASSERT_EQ(nodes.size(), 2U);
  EXPECT_EQ(nodes[0]["node_id"].get<std::string>().size(), 8U);
  EXPECT_EQ(nodes[0]["service"], "worker");
  EXPECT_EQ(nodes[0]["shadow"], false);
  EXPECT_EQ(nodes[0]["name"], "gpu \xef\xbf\xbd");
  EXPECT_EQ(nodes[0]["address"], "10.0.0.2:1000");
  EXPECT_EQ(nodes[0]["state"], "up");
  EXPECT_NEAR(nodes[0]["last_seen_ms"].get<int>(), 42, 5);
  EXPECT_EQ(nodes[0]["age_s"], 0);
  EXPECT_EQ(nodes[0]["actions"], json({"generate", "summarize"}));
  EXPECT_EQ(nodes[0]["models"], json({"llama"}));
  EXPECT_EQ(nodes[0]["tags"], json::array());
  EXPECT_EQ(nodes[0]["slots"], 3);
  EXPECT_EQ(nodes[0]["outstanding"], 1);
  EXPECT_EQ(nodes[1]["service"], "client");
  EXPECT_EQ(nodes[1]["state"], "up");
  EXPECT_EQ(nodes[1]["slots"], 64);
  EXPECT_EQ(nodes[1]["last_seen_ms"], 40);

  punt_bye(worker, hello.peer);
  join(worker_hello(1'002));
  const json later = json::parse(nodes_json(*control))["nodes"];
  ASSERT_EQ(later.size(), 3U);
  EXPECT_EQ(later[0]["state"], "draining");
  EXPECT_EQ(later[2]["state"], "joining");
}

}  // namespace
}  // namespace mcplane::control
