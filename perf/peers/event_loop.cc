// The loop behind event_loop.h: level-triggered, so a source may leave input for its next turn.
#include "event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace mcplane::peers {

void fail(const std::string& what) { throw Failure(what + ": " + std::strerror(errno)); }

std::uint64_t now_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

Source::~Source() { close(fd_); }

EventLoop::EventLoop() : epoll_(epoll_create1(0)) {
  if (epoll_ < 0) fail("epoll_create1");
}

EventLoop::~EventLoop() {
  sources_.clear();
  close(epoll_);
}

void EventLoop::add(std::unique_ptr<Source> source) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = source.get()}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, source->fd(), &event) != 0) fail("epoll_ctl");
  sources_.push_back(std::move(source));
}

void EventLoop::watch_output(Source& source, bool wanted) {
  if (source.blocked_ == wanted) return;
  source.blocked_ = wanted;
  epoll_event event{.events = EPOLLIN | (wanted ? std::uint32_t{EPOLLOUT} : 0U), .data = {.ptr = &source}};
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, source.fd(), &event) != 0) fail("epoll_ctl");
}

void EventLoop::will_flush(Source& source) {
  if (source.dirty_) return;
  source.dirty_ = true;
  dirty_.push_back(&source);
}

void EventLoop::turn(int timeout_ms) {
  std::array<epoll_event, 256> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms);
  if (count < 0 && errno != EINTR) fail("epoll_wait");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    auto& source = *static_cast<Source*>(event.data.ptr);
    if (event.events & EPOLLOUT) will_flush(source);
    if (event.events & ~std::uint32_t{EPOLLOUT}) source.on_readable(now_ns());
    any_closed_ = any_closed_ || source.closed();
  }
  flush_all();
  if (any_closed_) drop_closed();
}

void EventLoop::flush_all() {
  flushing_.swap(dirty_);
  for (Source* source : flushing_) {
    source->dirty_ = false;
    if (!source->closed()) watch_output(*source, !source->flush());
  }
  flushing_.clear();
}

void EventLoop::drop_closed() {
  std::erase_if(sources_, [](const auto& source) { return source->closed(); });
  any_closed_ = false;
}

}  // namespace mcplane::peers
