// The socket's life, and one handler a path.
#include "control/admin.h"

#include <fmt/core.h>
#include <httplib.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "control/answer.h"
#include "control/breaker_report.h"
#include "control/degradation_report.h"
#include "control/perf_report.h"
#include "control/report.h"

namespace mcplane::control {
namespace {

constexpr std::size_t kServerThreads = 2;

Answer ready(const Control& control) {
  if (control.draining()) return {503, "draining\n", kText};
  return control.published_workers() > 0 ? Answer{200, "ready\n", kText} : Answer{503, "no worker\n", kText};
}

// Begins or ends a run of measurements.
template <bool kOn>
Answer measure(Control& control) {
  control.measure(kOn);
  return {200, perf_json(control), kJson};
}

// After the successes that nobody was told of yet.
Answer show_breakers(Control& control) {
  control.hear_all();
  return {200, breakers_json(control), kJson};
}

// `node` is 8 hexadecimal digits.
Answer force_breaker(Control& control, const std::string& node, BreakerMode mode, const std::string& action) {
  const SessionId worker{static_cast<std::uint32_t>(std::stoul(node, nullptr, 16))};
  const std::string error = control.force_breaker(worker, mode, action);
  return error.empty() ? show_breakers(control) : error_answer(404, error);
}

Answer show_degradation(const Control& control) { return {200, degradation_json(control), kJson}; }

Answer force_degradation(Control& control, const std::string& route, std::optional<DegradeWhen> when) {
  if (control.force_degradation(route, when)) return show_degradation(control);
  return error_answer(404, fmt::format("no route is named '{}' and has a chain: set degrade in its [[route]]", route));
}

// By the socket's peer, of which httplib says the process; "" when that is gone already.
std::string user_of(pid_t process) {
  struct stat status {};
  const std::string path = fmt::format("/proc/{}", process);
  if (process <= 0 || ::stat(path.c_str(), &status) != 0) return "";
  std::array<char, 1'024> buffer;
  passwd entry{};
  passwd* found = nullptr;
  const bool named = ::getpwuid_r(status.st_uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
  return named ? entry.pw_name : fmt::format("uid {}", status.st_uid);
}

// Reads nothing of the body: a configuration may hold what is nobody's business.
AuditEntry entry_of(const httplib::Request& request, const httplib::Response& response) {
  AuditEntry entry{user_of(request.remote_port), request.path, "", response.status};
  for (const auto& [name, value] : request.params)
    entry.arguments += fmt::format("{}{}={}", entry.arguments.empty() ? "" : "&", name, value);
  return entry;
}

// Whether a process accepts connections there.
bool somebody_listens(const sockaddr_un& address) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return true;
  const bool connected = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(probe);
  return connected;
}

// Makes room for a socket at `path`, or throws.
void clear_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    throw std::runtime_error(
        fmt::format("admin socket '{}': a path has 1 to {} bytes", path, sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path.data(), path.size());

  std::error_code error;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) throw std::runtime_error(fmt::format("admin socket folder {}: {}", folder.string(), error.message()));
  const auto status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) return;
  if (!std::filesystem::is_socket(status))
    throw std::runtime_error(fmt::format("admin socket {}: a file that is no socket is in the way", path));
  if (somebody_listens(address))
    throw std::runtime_error(fmt::format("admin socket {}: another process listens there; choose another path", path));
  std::filesystem::remove(path, error);
}

}  // namespace

void give(const Answer& answer, httplib::Response& response) {
  response.status = answer.status;
  response.set_content(answer.body, answer.type);
}

Answer error_answer(int status, std::string_view error) {
  return {status, nlohmann::json{{"error", error}}.dump() + "\n", kJson};
}

struct Admin::Impl {
  Impl(Control& given_control, std::string given_path, std::chrono::milliseconds given_patience)
      : control(given_control), path(std::move(given_path)), patience(given_patience) {}

  void bind();
  void route(const char* pattern, Answer (*answer)(const Control&));
  void change(const char* pattern, Answer (*answer)(Control&));
  void change_breakers(const char* pattern, BreakerMode mode);
  void change_degradation(const char* pattern, std::optional<DegradeWhen> when);
  Answer ask(std::function<Answer(Control&)> answer);

  Control& control;
  const std::string path;
  const std::chrono::milliseconds patience;
  httplib::Server server;
  std::thread thread;
};

void Admin::Impl::bind() {
  clear_path(path);
  server.set_address_family(AF_UNIX);
  server.new_task_queue = [] { return new httplib::ThreadPool(kServerThreads); };  // the server deletes it
  // UNIX sockets have no port; 0 would make httplib look one up.
  if (!server.bind_to_port(path, 1))
    throw std::runtime_error(fmt::format("admin socket {}: {}", path, std::strerror(errno)));
  if (::chmod(path.c_str(), 0660) != 0)
    throw std::runtime_error(fmt::format("admin socket {}: {}", path, std::strerror(errno)));
}

// The request outlives this call, and maybe the server, when it is late: it holds nothing of either.
Answer Admin::Impl::ask(std::function<Answer(Control&)> answer) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  if (!control.post([promise, answer = std::move(answer), &asked = control] { promise->set_value(answer(asked)); }))
    return error_answer(503, "too many requests wait");
  if (future.wait_for(patience) != std::future_status::ready) return error_answer(503, "the control thread is busy");
  return future.get();
}

void Admin::Impl::route(const char* pattern, Answer (*answer)(const Control&)) {
  server.Get(pattern,
             [this, answer](const httplib::Request&, httplib::Response& response) { give(ask(answer), response); });
}

// POST, its body unread: the path says it all.
void Admin::Impl::change(const char* pattern, Answer (*answer)(Control&)) {
  server.Post(pattern,
              [this, answer](const httplib::Request&, httplib::Response& response) { give(ask(answer), response); });
}

// The pattern's group is the worker's node id; `action` one of its actions, if not all are meant.
void Admin::Impl::change_breakers(const char* pattern, BreakerMode mode) {
  server.Post(pattern, [this, mode](const httplib::Request& request, httplib::Response& response) {
    const std::string node = request.matches[1], action = request.get_param_value("action");
    give(ask([=](Control& asked) { return force_breaker(asked, node, mode, action); }), response);
  });
}

// Names hold what a path may not.
void Admin::Impl::change_degradation(const char* pattern, std::optional<DegradeWhen> when) {
  server.Post(pattern, [this, when](const httplib::Request& request, httplib::Response& response) {
    const std::string route = request.get_param_value("route");
    give(ask([route, when](Control& asked) { return force_degradation(asked, route, when); }), response);
  });
}

Admin::Admin(Control& control, std::string path, std::chrono::milliseconds patience, const ConfigHooks& config)
    : impl_(std::make_unique<Impl>(control, std::move(path), patience)) {
  impl_->bind();
  impl_->route("/healthz", [](const Control&) { return Answer{200, "ok\n", kText}; });
  impl_->route("/readyz", ready);
  impl_->route("/v1/info", [](const Control& asked) { return Answer{200, info_json(asked), kJson}; });
  impl_->route("/v1/nodes", [](const Control& asked) { return Answer{200, nodes_json(asked), kJson}; });
  impl_->route("/v1/subscriptions", [](const Control& asked) { return Answer{200, subscriptions_json(asked), kJson}; });
  impl_->route("/v1/perf", [](const Control& asked) { return Answer{200, perf_json(asked), kJson}; });
  impl_->server.Get("/v1/breakers", [this](const httplib::Request&, httplib::Response& response) {
    give(impl_->ask(show_breakers), response);
  });
  impl_->change_breakers("/v1/breakers/([0-9a-f]{8})/force-open", BreakerMode::kForcedOpen);
  impl_->change_breakers("/v1/breakers/([0-9a-f]{8})/force-closed", BreakerMode::kForcedClosed);
  impl_->change_breakers("/v1/breakers/([0-9a-f]{8})/auto", BreakerMode::kAuto);
  impl_->route("/v1/degradation", show_degradation);
  impl_->change_degradation("/v1/degradation/on", DegradeWhen::kAlways);
  impl_->change_degradation("/v1/degradation/off", DegradeWhen::kNever);
  impl_->change_degradation("/v1/degradation/auto", std::nullopt);
  impl_->change("/v1/perf/on", measure<true>);
  impl_->change("/v1/perf/off", measure<false>);
  serve_config(
      impl_->server, [this](auto answer) { return impl_->ask(std::move(answer)); }, config);
  // Before the answer leaves: who asked is still there to be looked up.
  impl_->server.set_post_routing_handler([this](const httplib::Request& request, const httplib::Response& response) {
    if (request.method == "POST" && impl_->control.options().audit)
      impl_->control.options().audit(entry_of(request, response));
  });
  impl_->server.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    response.set_content(error_answer(response.status, "unknown path " + request.path).body, kJson);
  });
  impl_->thread = std::thread([this] { impl_->server.listen_after_bind(); });
  // stop() is lost on a server that does not run yet.
  while (!impl_->server.is_running()) std::this_thread::yield();
}

Admin::~Admin() {
  impl_->server.stop();
  impl_->thread.join();
  ::unlink(impl_->path.c_str());
}

}  // namespace mcplane::control
