// See live_feed.h.
#include "control/admin/live_feed.h"

#include <fmt/core.h>
#include <httplib.h>

#include <utility>

#include "control/control.h"
#include "control/reports/live_report.h"

namespace mcplane::control {
namespace {

std::string event_of(const char* name, const std::string& data) {
  return std::string("event: ") + name + "\ndata: " + data + "\n\n";
}

}  // namespace

LiveFeed::LiveFeed(Ask ask, std::chrono::milliseconds interval)
    : ask_(std::move(ask)), interval_(interval), report_(std::make_shared<LiveReport>()), thread_([this] { run(); }) {}

LiveFeed::~LiveFeed() {
  end();
  thread_.join();
}

void LiveFeed::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

// A reading that control had no time for is left out.
void LiveFeed::run() {
  auto next = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  for (;;) {
    next += interval_;
    if (changed_.wait_until(lock, next, [this] { return ended_; })) return;
    const bool whole = listeners_ > 0;
    lock.unlock();
    const Answer answer = ask_([report = report_, whole](Control& control) {
      return Answer{200, report->next(control, whole)};
    });
    lock.lock();
    if (answer.status != 200 || answer.body.empty()) continue;
    event_ = event_of("live", answer.body);
    ++number_;
    changed_.notify_all();
  }
}

bool LiveFeed::try_join() {
  const std::lock_guard lock(mutex_);
  if (ended_ || listeners_ == kListenersMax) return false;
  ++listeners_;
  return true;
}

void LiveFeed::leave() {
  const std::lock_guard lock(mutex_);
  --listeners_;
}

// `seen`: the event it had last; 0: none, then `history` comes first.
std::optional<std::string> LiveFeed::next(std::uint64_t& seen) {
  if (seen == 0) {
    const Answer history = ask_([report = report_](Control&) { return Answer{200, report->history()}; });
    const std::lock_guard lock(mutex_);
    // What was made for others before is older than the history's last.
    seen = number_ + 1;
    return event_of("history", history.status == 200 ? history.body : "[]");
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_ || number_ >= seen; });
  if (ended_) return std::nullopt;
  seen = number_ + 1;
  return event_;
}

void LiveFeed::serve(httplib::Server& server) {
  server.Get("/v1/live", [this](const httplib::Request&, httplib::Response& response) {
    if (!try_join()) {
      give(error_answer(503, fmt::format("{} listen already; close one of them", kListenersMax)), response);
      return;
    }
    response.set_header("Cache-Control", "no-store");
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, seen = std::uint64_t{0}](std::size_t, httplib::DataSink& sink) mutable {
          const auto event = next(seen);
          if (event) return sink.write(event->data(), event->size());
          sink.done();
          return true;
        },
        [this](bool) { leave(); });
  });
}

}  // namespace mcplane::control
