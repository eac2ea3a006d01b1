// The HTTP listener on a port of loopback: whom it answers, and that it changes nothing.
#include "control/admin/http_listener.h"

#include <gtest/gtest.h>

#include <httplib.h>

#include <stdexcept>
#include <string>

#include "control/control_thread.h"
#include "control_fixture.h"

namespace mcplane::control {
namespace {

class HttpTest : public ControlTest {
 protected:
  static constexpr wire::Endpoint kLoopback{wire::IpAddress::v4({127, 0, 0, 1}), 0};

  static httplib::Result get(const HttpListener& http, const std::string& target, const std::string& host = "") {
    httplib::Client client("127.0.0.1", http.at().port);
    return client.Get(target, host.empty() ? httplib::Headers{} : httplib::Headers{{"Host", host}});
  }
};

TEST_F(HttpTest, SaysWhatTheAdminSocketSaysAndChangesNothing) {
  start();
  HttpListener http(*control, kLoopback);
  const ControlThread thread(*control);
  ASSERT_NE(http.at().port, 0);
  for (const char* const target : {"/healthz", "/v1/info", "/v1/nodes", "/v1/breakers", "/v1/degradation", "/v1/config",
                                   "/v1/config/history", "/v1/perf", "/v1/subscriptions"}) {
    const auto answer = get(http, target);
    ASSERT_TRUE(answer) << target;
    EXPECT_EQ(answer->status, 200) << target;
  }
  EXPECT_EQ(get(http, "/v1/nothing")->status, 404);
  httplib::Client client("127.0.0.1", http.at().port);
  for (const char* const target : {"/v1/perf/on", "/v1/info", "/v1/config/rollback"}) {
    const auto answer = client.Post(target);
    ASSERT_TRUE(answer) << target;
    EXPECT_EQ(answer->status, 405) << target;
  }
  EXPECT_EQ(shared->perf_run.load(), 0U);
}

TEST_F(HttpTest, AnswersToItsAddressesOnly) {
  start();
  HttpListener http(*control, kLoopback);
  const ControlThread thread(*control);
  for (const char* const host : {"localhost", "localhost:4880", "127.0.0.1:1", "[::1]:4880", "10.0.0.1"})
    EXPECT_EQ(get(http, "/healthz", host)->status, 200) << host;
  for (const char* const host :
       {"evil.example", "evil.example:4880", "localhost.evil.example", "127.0.0.1.evil.example", "["})
    EXPECT_EQ(get(http, "/healthz", host)->status, 403) << host;
}

TEST_F(HttpTest, APortThatIsTakenIsSaidInOneLine) {
  start();
  const HttpListener first(*control, kLoopback);
  try {
    const HttpListener second(*control, first.at());
    FAIL() << "two listen on one port";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(), "http " + wire::to_string(first.at()) + ": Address already in use");
  }
}

}  // namespace
}  // namespace mcplane::control
