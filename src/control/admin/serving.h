// A cpp-httplib server that runs on threads of its own, from start() until it is gone: what the admin socket and the
// HTTP listener have in common.
#pragma once

#include <cstddef>
#include <memory>
#include <thread>

namespace httplib {
class Server;
}

namespace mcplane::control {

class Serving {
 public:
  // threads: requests that are answered at once. Unknown paths are answered in JSON.
  explicit Serving(std::size_t threads);
  // Ends what is being answered; nothing is served once it returns. As stop().
  ~Serving();
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  // To set up, and to bind, before start().
  httplib::Server& server() noexcept { return *server_; }
  // Serves at once. The server is bound.
  void start();
  void stop();

 private:
  std::unique_ptr<httplib::Server> server_;
  std::thread thread_;
};

}  // namespace mcplane::control
