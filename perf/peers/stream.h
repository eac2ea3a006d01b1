// A TCP connection of the load: input is parsed where it was read, output is gathered and written once a turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "event_loop.h"

namespace mcplane::peers {

// Connected, non-blocking, without Nagle's delay; waits for the connection.
int connect_tcp(const std::string& host, std::uint16_t port);
int listen_tcp(const std::string& host, std::uint16_t port);

class Stream : public Source {
 public:
  Stream(EventLoop& loop, int fd) : Source(fd), loop_(loop) {}

  void on_readable(std::uint64_t now_ns) final;
  bool flush() final;
  bool closed() const final { return closed_; }

 protected:
  // Gets all that is unread and returns how many bytes it used up; the rest comes again with what follows it.
  virtual std::size_t on_input(std::string_view input, std::uint64_t now_ns) = 0;
  // The other side ended the connection. Unless overridden that is a Failure.
  virtual void on_end();

  void write(std::string_view bytes);
  void write_number(std::uint64_t value);
  // `bytes` of output for the caller to fill before it writes anything else.
  std::span<char> write_space(std::size_t bytes);

 private:
  EventLoop& loop_;
  std::string unread_, output_;
  std::size_t written_ = 0;
  bool closed_ = false;
};

// Takes connections and makes a source of each.
class Listener : public Source {
 public:
  using Accept = void (*)(EventLoop& loop, int fd);
  Listener(EventLoop& loop, int fd, Accept accept) : Source(fd), loop_(loop), accept_(accept) {}

  void on_readable(std::uint64_t now_ns) override;

 private:
  EventLoop& loop_;
  Accept accept_;
};

}  // namespace mcplane::peers
