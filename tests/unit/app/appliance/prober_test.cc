// The prober against servers on the loopback interface. gRPC's good answers need a server of its own kind:
// tests/integration/test_probes.py has one.
#include "app/appliance/prober.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "support/loopback.h"

namespace mcplane::app {
namespace {

using control::ProbeAnswer;
using control::ProbeRequest;
using std::chrono::steady_clock;

// Binds to a free port; listens, and accepts nobody.
class SilentListener {
 public:
  SilentListener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    port_ = test::bind_to_loopback(socket_);
    EXPECT_NE(port_, 0);
    EXPECT_EQ(::listen(socket_, 1'000), 0);
  }
  ~SilentListener() { close(); }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  std::uint16_t port() const noexcept { return port_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

class HttpServer {
 public:
  HttpServer() {
    server_.Get("/health", [](const httplib::Request&, httplib::Response& response) { response.status = 200; });
    server_.Get("/none", [](const httplib::Request&, httplib::Response& response) { response.status = 204; });
    server_.Get("/sick", [](const httplib::Request&, httplib::Response& response) { response.status = 503; });
    server_.Get("/moved",
                [](const httplib::Request&, httplib::Response& response) { response.set_redirect("/health"); });
    server_.Get("/long", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(std::string(8U << 20, 'x'), "text/plain");
    });
    port_ = static_cast<std::uint16_t>(server_.bind_to_any_port("127.0.0.1"));
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~HttpServer() {
    server_.stop();
    thread_.join();
  }
  std::uint16_t port() const noexcept { return port_; }

 private:
  httplib::Server server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

ProbeRequest request_of(const std::string& probe, std::uint64_t number = 1, std::uint64_t timeout_ns = kNsPerSecond) {
  ProbeRequest request{.number = number,
                       .session = {77},
                       .ip = wire::IpAddress::v4({127, 0, 0, 1}),
                       .probe = {},
                       .timeout_ns = timeout_ns};
  EXPECT_EQ(wire::parse_probe(probe, request.probe), "") << probe;
  return request;
}

std::vector<ProbeAnswer> await(Prober& prober, std::size_t count) {
  std::vector<ProbeAnswer> answers;
  const auto end = steady_clock::now() + std::chrono::seconds(20);
  while (answers.size() < count && steady_clock::now() < end) {
    prober.take_answers(answers);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(answers.size(), count);
  return answers;
}

ProbeAnswer ask(Prober& prober, const ProbeRequest& request) {
  EXPECT_TRUE(prober.try_ask(request));
  const auto answers = await(prober, 1);
  return answers.empty() ? ProbeAnswer{} : answers.front();
}

std::size_t open_files() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

TEST(Prober, HttpIsJudgedByItsStatus) {
  const HttpServer server;
  Prober prober;
  const std::string at = "http:" + std::to_string(server.port());
  struct Case {
    const char* target;
    bool good;
    const char* said;
  };
  for (const auto& [target, good, said] : std::vector<Case>{{"/health", true, "HTTP 200"},
                                                            {"/none=204", true, "HTTP 204"},
                                                            {"/none", false, "HTTP 204"},
                                                            {"/sick", false, "HTTP 503"},
                                                            {"/sick=503", true, "HTTP 503"},
                                                            {"/moved", false, "HTTP 302"},
                                                            {"/absent", false, "HTTP 404"},
                                                            {"/long", true, "HTTP 200"}}) {
    const ProbeAnswer answer = ask(prober, request_of(at + target, 5));
    EXPECT_EQ(answer.good, good) << target;
    EXPECT_EQ(answer.said, said) << target;
    EXPECT_EQ(answer.number, 5U);
    EXPECT_EQ(answer.session, SessionId{77});
  }
}

TEST(Prober, TcpIsAConnectionAndNoMore) {
  SilentListener listener;
  Prober prober;
  const std::string at = "tcp:" + std::to_string(listener.port());
  ProbeAnswer answer = ask(prober, request_of(at));
  EXPECT_TRUE(answer.good);
  EXPECT_EQ(answer.said, "connected");
  listener.close();
  answer = ask(prober, request_of(at));
  EXPECT_FALSE(answer.good);
  EXPECT_EQ(answer.said, "connection refused");
}

TEST(Prober, SilenceEndsWithTheTimeout) {
  const SilentListener listener;
  Prober prober;
  for (const char* const kind : {"http:", "grpc:"}) {
    const std::string probe = kind + std::to_string(listener.port()) + "/x";
    const auto start = steady_clock::now();
    const ProbeAnswer answer = ask(prober, request_of(probe, 1, 50 * kNsPerMs));
    EXPECT_FALSE(answer.good);
    EXPECT_EQ(answer.said, "no answer in 50 ms") << probe;
    EXPECT_GE(steady_clock::now() - start, std::chrono::milliseconds(49));
  }
}

TEST(Prober, AnotherProtocolIsNoHealth) {
  const HttpServer server;
  Prober prober;
  const ProbeAnswer answer = ask(prober, request_of("grpc:" + std::to_string(server.port())));
  EXPECT_FALSE(answer.good);
  EXPECT_FALSE(answer.said.empty());
}

TEST(Prober, ManyAtOnceAreBoundedAndLeaveNothingBehind) {
  const SilentListener listener;
  Prober prober;
  const std::string probe = "tcp:" + std::to_string(listener.port());
  ask(prober, request_of(probe));
  const std::size_t before = open_files();
  std::size_t taken = 0;
  while (taken < 2 * Prober::kOpenMax && prober.try_ask(request_of(probe, taken + 1))) ++taken;
  EXPECT_EQ(taken, Prober::kOpenMax) << "none was taken back";
  for (const ProbeAnswer& answer : await(prober, taken)) EXPECT_TRUE(answer.good) << answer.said;
  EXPECT_TRUE(prober.try_ask(request_of(probe)));
  await(prober, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(open_files(), before + 2);
}

TEST(Prober, EndsWhileQuestionsAreUnderWay) {
  const SilentListener listener;
  const auto start = steady_clock::now();
  {
    Prober prober;
    const std::string probe = "http:" + std::to_string(listener.port()) + "/x";
    for (std::uint64_t i = 1; i <= 50; ++i) EXPECT_TRUE(prober.try_ask(request_of(probe, i, 100 * kNsPerSecond)));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(10));
}

}  // namespace
}  // namespace mcplane::app
