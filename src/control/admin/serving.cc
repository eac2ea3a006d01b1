// See serving.h.
#include "control/admin/serving.h"

#include <httplib.h>

#include "control/admin/answer.h"

namespace mcplane::control {

Serving::Serving(std::size_t threads) : server_(std::make_unique<httplib::Server>()) {
  server_->new_task_queue = [threads] { return new httplib::ThreadPool(threads); };  // the server deletes it
  server_->set_error_handler([](const httplib::Request& request, httplib::Response& response) {
    if (!response.body.empty()) return;
    response.set_content(error_answer(response.status, "unknown path " + request.path).body, kJson);
  });
}

void Serving::start() {
  thread_ = std::thread([this] { server_->listen_after_bind(); });
  // stop() is lost on a server that does not run yet.
  while (!server_->is_running()) std::this_thread::yield();
}

void Serving::stop() {
  if (!thread_.joinable()) return;
  server_->stop();
  thread_.join();
}

Serving::~Serving() { stop(); }

}  // namespace mcplane::control
