// The socket's life; what is served there is in read.cc, change.cc and config.cc.
#include "control/admin/admin.h"

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
#include <stdexcept>
#include <utility>

#include "control/admin/change.h"
#include "control/admin/inspect.h"
#include "control/admin/read.h"
#include "control/admin/serving.h"

namespace mcplane::control {
namespace {

// A capture keeps one of them as long as it lasts.
constexpr std::size_t kServerThreads = 4;

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

struct Admin::Impl {
  explicit Impl(std::string given_path) : path(std::move(given_path)) {}

  void bind();

  const std::string path;
  Serving serving{kServerThreads};
};

void Admin::Impl::bind() {
  clear_path(path);
  httplib::Server& server = serving.server();
  server.set_address_family(AF_UNIX);
  // UNIX sockets have no port; 0 would make httplib look one up.
  if (!server.bind_to_port(path, 1))
    throw std::runtime_error(fmt::format("admin socket {}: {}", path, std::strerror(errno)));
  if (::chmod(path.c_str(), 0660) != 0)
    throw std::runtime_error(fmt::format("admin socket {}: {}", path, std::strerror(errno)));
}

Admin::Admin(Control& control, std::string path, std::chrono::milliseconds patience, const ConfigHooks& config)
    : impl_(std::make_unique<Impl>(std::move(path))) {
  impl_->bind();
  const Ask ask = ask_of(control, patience);
  httplib::Server& server = impl_->serving.server();
  serve_reads(server, ask);
  serve_inspection(server, ask, ask_cores_of(control, patience));
  serve_changes(server, ask);
  serve_config_changes(server, ask, config);
  // Before the answer leaves: who asked is still there to be looked up.
  server.set_post_routing_handler([&control](const httplib::Request& request, const httplib::Response& response) {
    if (request.method == "POST" && control.options().audit) control.options().audit(entry_of(request, response));
  });
  impl_->serving.start();
}

Admin::~Admin() {
  impl_->serving.stop();
  ::unlink(impl_->path.c_str());
}

}  // namespace mcplane::control
