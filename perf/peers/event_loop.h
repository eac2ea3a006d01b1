// One thread's epoll loop: sources are told of input, and what they wrote meanwhile leaves together, once a turn, so
// that as many requests as possible share a system call. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace mcplane::peers {

// One line for whoever started the program.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// `what` and the text of errno.
[[noreturn]] void fail(const std::string& what);

std::uint64_t now_ns() noexcept;

class Source {
 public:
  explicit Source(int fd) : fd_(fd) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source();

  int fd() const noexcept { return fd_; }
  virtual void on_readable(std::uint64_t now_ns) = 0;
  // Writes what is waiting; false when the kernel has no room for all of it.
  virtual bool flush() { return true; }
  virtual bool closed() const { return false; }

 private:
  friend class EventLoop;
  int fd_;
  bool dirty_ = false, blocked_ = false;
};

class EventLoop {
 public:
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  // A source lives until it is closed() or the loop ends.
  void add(std::unique_ptr<Source> source);
  template <class Kind, class... Arguments>
  Kind* make(Arguments&&... arguments) {
    auto source = std::make_unique<Kind>(std::forward<Arguments>(arguments)...);
    Kind* const made = source.get();
    add(std::move(source));
    return made;
  }
  // Has `source` flushed at the end of this turn.
  void will_flush(Source& source);
  // One turn: waits at most timeout_ms for input, hands it out, flushes.
  void turn(int timeout_ms);

 private:
  void watch_output(Source& source, bool wanted);
  void flush_all();
  void drop_closed();

  int epoll_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<Source*> dirty_, flushing_;
  bool any_closed_ = false;
};

}  // namespace mcplane::peers
