// Configuration over HTTP, without a socket's path of its own to fail: what is refused, with which status.
#include "control/admin/config.h"

#include <httplib.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "control_fixture.h"

namespace mcplane::control {
namespace {

using nlohmann::json;

// Reads "bad" as a mistake and anything else as sound.
ConfigReading read(const std::string& text, const std::string& origin) {
  ConfigReading reading;
  if (text == "bad") reading.mistakes = {origin + ":1:1: bad"};
  reading.document.text = text;
  reading.document.origin = origin;
  reading.document.values = {{"k", text, "f:1"}};
  return reading;
}

class ConfigAdminTest : public ControlTest {
 protected:
  // Control is asked on the server's thread; the test's own waits meanwhile.
  void serve(const ConfigHooks& hooks) {
    start();
    const auto ask = [this](const auto& answer) { return answer(*control); };
    serve_config_reads(server_, ask);
    serve_config_changes(server_, ask, hooks);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~ConfigAdminTest() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  int post(const std::string& target, const std::string& text = "") {
    httplib::Client client("127.0.0.1", port_);
    const auto answer = client.Post(target, text, "text/plain");
    body_ = answer ? answer->body : "";
    return answer ? answer->status : 0;
  }
  json get(const std::string& target) {
    httplib::Client client("127.0.0.1", port_);
    const auto answer = client.Get(target);
    return answer ? json::parse(answer->body) : json();
  }

  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
  std::string body_;
};

TEST_F(ConfigAdminTest, AppliesConfirmsAndRollsBack) {
  serve({.read = read, .unix_s = [] { return std::uint64_t{77}; }});
  EXPECT_EQ(post("/v1/config/diff?origin=f", "a"), 200);
  EXPECT_EQ(json::parse(body_)["changes"][0]["after"], "a");
  EXPECT_EQ(post("/v1/config/apply?origin=f&by=op%0aerator&confirm-within-ms=2000", "a"), 200);
  EXPECT_EQ(json::parse(body_)["confirm_left_ms"], 2'000);
  EXPECT_EQ(post("/v1/config/confirm"), 200);
  EXPECT_EQ(post("/v1/config/confirm"), 409);
  EXPECT_EQ(get("/v1/config")["values"][0]["value"], "a");
  EXPECT_EQ(post("/v1/config/rollback?generation=1"), 200);
  const json generations = get("/v1/config/history")["generations"];
  ASSERT_EQ(generations.size(), 3U);
  EXPECT_EQ(generations[1]["by"], "op?erator");
  EXPECT_EQ(generations[1]["unix_s"], 77);
  EXPECT_EQ(generations[1]["text"], "a");
  EXPECT_EQ(generations[2]["how"], "rollback to 1");
}

TEST_F(ConfigAdminTest, RefusesWhatIsWrongAndChangesNothing) {
  serve({.read = read, .unix_s = {}});
  for (const char* path : {"/v1/config/check?origin=f", "/v1/config/diff?origin=f", "/v1/config/apply?origin=f"}) {
    EXPECT_EQ(post(path, "bad"), 422) << path;
    EXPECT_EQ(json::parse(body_)["mistakes"], json({"f:1:1: bad"})) << path;
  }
  EXPECT_EQ(post("/v1/config/check", "a"), 200);
  for (const char* time : {"0", "-1", "x", "86400001", ""})
    EXPECT_EQ(post(std::string("/v1/config/apply?confirm-within-ms=") + time, "a"), 400) << time;
  EXPECT_EQ(post("/v1/config/rollback?generation=x"), 400);
  EXPECT_EQ(post("/v1/config/rollback?generation=9"), 409);
  EXPECT_EQ(post("/v1/config/rollback"), 409);
  EXPECT_EQ(post("/v1/config/apply", std::string(kConfigBytesMax + 1, 'a')), 413);
  EXPECT_EQ(get("/v1/config")["generation"], 1);
}

TEST_F(ConfigAdminTest, TakesNoTextWithoutAReader) {
  serve({});
  EXPECT_EQ(post("/v1/config/apply", "a"), 501);
}

}  // namespace
}  // namespace mcplane::control
