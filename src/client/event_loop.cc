// epoll, timerfd and eventfd. The timer is armed with absolute times, so that setting it also ends its being readable.
#include "client/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include "base/types.h"

namespace mcplane::client {

namespace {

int checked(int result, const char* call) {
  if (result < 0) throw std::runtime_error(std::string(call) + ": " + std::strerror(errno));
  return result;
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::uint64_t now_ns() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

Wakeup::Wakeup() : fd_(checked(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")) {}

void Wakeup::signal() noexcept {
  // Fails only when the counter is full, and then it is readable anyway.
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
}

void Wakeup::clear() noexcept {
  std::uint64_t count;
  [[maybe_unused]] const auto got = ::read(fd_.get(), &count, sizeof count);
}

EventLoop::EventLoop()
    : epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      timer_(checked(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create")) {
  add(timer_.get());
}

void EventLoop::add(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  checked(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void EventLoop::arm(std::uint64_t deadline_ns, std::uint64_t now_ns) noexcept {
  if (deadline_ns == armed_ns_ && deadline_ns > now_ns) return;
  armed_ns_ = deadline_ns;
  itimerspec when{};  // zero disarms
  if (deadline_ns != kNever) {
    when.it_value.tv_sec = static_cast<time_t>(deadline_ns / kNsPerSecond);
    when.it_value.tv_nsec = static_cast<long>(deadline_ns % kNsPerSecond);
    if (deadline_ns == 0) when.it_value.tv_nsec = 1;
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void EventLoop::want_write(int socket, bool wanted) noexcept {
  const auto writer = std::find(writers_.begin(), writers_.end(), socket);
  if (wanted == (writer != writers_.end())) return;
  if (wanted)
    writers_.push_back(socket);
  else
    writers_.erase(writer);
  epoll_event event{};
  event.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.fd = socket;
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket, &event);
}

void EventLoop::wait(std::chrono::milliseconds longest) noexcept {
  epoll_event event;
  epoll_wait(epoll_.get(), &event, 1, static_cast<int>(longest.count()));
}

}  // namespace mcplane::client
