// The kernel objects an I/O thread waits on: one epoll set that holds sockets, a timer and a wake-up from other
// threads. Owned by the I/O thread, except Wakeup::signal().
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace mcplane::client {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

// CLOCK_MONOTONIC, as the timer uses it.
std::uint64_t now_ns() noexcept;

// Makes an epoll set readable from any thread, until clear().
class Wakeup {
 public:
  Wakeup();  // throws std::runtime_error
  int fd() const noexcept { return fd_.get(); }
  void signal() noexcept;  // any thread
  void clear() noexcept;

 private:
  FileDescriptor fd_;
};

class EventLoop {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  EventLoop();  // throws std::runtime_error
  int fd() const noexcept { return epoll_.get(); }
  void add(int fd);  // readable; throws std::runtime_error
  // The set becomes readable at deadline_ns. No system call while the deadline stays the same and ahead.
  void arm(std::uint64_t deadline_ns, std::uint64_t now_ns) noexcept;
  // Whether room in the send buffer of a socket, one of those added, makes the set readable too.
  void want_write(int socket, bool wanted) noexcept;
  void wait(std::chrono::milliseconds longest) noexcept;

 private:
  FileDescriptor epoll_;
  FileDescriptor timer_;
  std::uint64_t armed_ns_ = kNever;
  std::vector<int> writers_;  // sockets that want to write
};

}  // namespace mcplane::client
