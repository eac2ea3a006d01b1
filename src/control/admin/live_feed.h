// GET /v1/live: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), one `history`
// first and then a `live` a second, the same to all who listen. A thread takes the readings, whether or not somebody
// listens, so that a page has the last minutes at once; each listener holds one of the server's threads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "control/admin/answer.h"

namespace httplib {
class Server;
}

namespace mcplane::control {

class LiveReport;

class LiveFeed {
 public:
  static constexpr std::size_t kListenersMax = 8;  // more are refused, 503

  explicit LiveFeed(Ask ask, std::chrono::milliseconds interval = std::chrono::seconds(1));
  // As end().
  ~LiveFeed();
  LiveFeed(const LiveFeed&) = delete;
  LiveFeed& operator=(const LiveFeed&) = delete;

  // Outlives the server.
  void serve(httplib::Server& server);
  // No more events: whoever listens is let go at once.
  void end();

 private:
  // Events of one listener, whose first is the history.
  std::optional<std::string> next(std::uint64_t& seen);
  bool try_join();
  void leave();
  void run();

  const Ask ask_;
  const std::chrono::milliseconds interval_;
  const std::shared_ptr<LiveReport> report_;  // the control thread's, which may be late

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string event_;         // the last; guarded by mutex_, as all below
  std::uint64_t number_ = 0;  // of it; 0: none yet
  std::size_t listeners_ = 0;
  bool ended_ = false;

  std::thread thread_;
};

}  // namespace mcplane::control
