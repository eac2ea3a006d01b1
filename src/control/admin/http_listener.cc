// One request a connection, so that a browser's idle ones hold no thread.
#include "control/admin/http_listener.h"

#include <fmt/core.h>
#include <httplib.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "control/admin/dashboard.h"
#include "control/admin/inspect.h"
#include "control/admin/live_feed.h"
#include "control/admin/read.h"
#include "control/admin/serving.h"

namespace mcplane::control {
namespace {

using Handled = httplib::Server::HandlerResponse;

// Beside those that listen to the feed.
constexpr std::size_t kRequestThreads = 4;
constexpr int kBacklog = 64;
constexpr std::time_t kIdleSeconds = 1;  // a connection that says nothing

// "10.0.0.1:4880", "[::1]", "localhost:80" without what follows the address.
std::string_view host_in(std::string_view header) noexcept {
  if (header.starts_with('[')) return header.substr(1, std::min(header.find(']'), header.size()) - 1);
  return header.substr(0, header.find(':'));
}

// A page of some other site may have its own name resolved to our address, to have a browser ask us (DNS rebinding): by
// a name that is not ours nobody is answered.
bool is_ours(std::string_view host_header) {
  const std::string_view host = host_in(host_header);
  return host == "localhost" || wire::parse_ip(host).has_value();
}

Handled check(const httplib::Request& request, httplib::Response& response) {
  if (!is_ours(request.get_header_value("Host"))) {
    give(error_answer(403, "ask by address, or as localhost"), response);
    return Handled::Handled;
  }
  if (request.method == "GET" || request.method == "HEAD") return Handled::Unhandled;
  give(error_answer(405, "nothing can be changed here; mcplane-ctl changes it, over the admin socket"), response);
  return Handled::Handled;
}

}  // namespace

struct HttpListener::Impl {
  Impl(const wire::Endpoint& given, const Ask& ask, std::chrono::milliseconds interval)
      : at(given), live(ask, interval) {}
  ~Impl() { live.end(); }  // else its listeners would hold the server's threads

  void bind();

  wire::Endpoint at;
  socket_t listening = INVALID_SOCKET;
  LiveFeed live;
  Serving serving{kRequestThreads + LiveFeed::kListenersMax};
};

// cpp-httplib would share the port with another process of the same user, each getting some of the connections, and
// have no more than five wait to be accepted, where a browser opens six at once.
void HttpListener::Impl::bind() {
  httplib::Server& server = serving.server();
  server.set_socket_options([this](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    listening = socket;
  });
  const std::string host = wire::to_string(at.ip);
  const int port = at.port == 0 ? server.bind_to_any_port(host) : server.bind_to_port(host, at.port) ? at.port : -1;
  if (port < 0) throw std::runtime_error(fmt::format("http {}: {}", wire::to_string(at), std::strerror(errno)));
  ::listen(listening, kBacklog);
  at.port = static_cast<std::uint16_t>(port);
}

HttpListener::HttpListener(Control& control, const wire::Endpoint& at, std::chrono::milliseconds patience,
                           std::chrono::milliseconds live_interval)
    : impl_(std::make_unique<Impl>(at, ask_of(control, patience), live_interval)) {
  impl_->bind();
  httplib::Server& server = impl_->serving.server();
  server.set_keep_alive_max_count(1).set_keep_alive_timeout(kIdleSeconds);
  server.set_read_timeout(kIdleSeconds).set_write_timeout(kIdleSeconds);
  server.set_pre_routing_handler(check);
  const Ask ask = ask_of(control, patience);
  serve_reads(server, ask);
  serve_inspection(server, ask, ask_cores_of(control, patience));
  impl_->live.serve(server);
  serve_dashboard(server);
  impl_->serving.start();
}

HttpListener::~HttpListener() = default;

const wire::Endpoint& HttpListener::at() const noexcept { return impl_->at; }

}  // namespace mcplane::control
