// See socket_shell.h.
#include "loadgen/socket_shell.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>

namespace mcplane::loadgen {
namespace {

// Standard streams, epoll sets and what the other shell needs.
constexpr rlim_t kOtherDescriptors = 64;

// The usual soft limit of 1,024 is a default for select(), not a bound anyone chose.
void raise_descriptor_limit(std::size_t sockets) noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= sockets + kOtherDescriptors) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

SocketShell::SocketShell(std::size_t endpoints, const wire::Endpoint& broker) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  raise_descriptor_limit(endpoints);
  sockets_.reserve(endpoints);
  ready_.reserve(kEventsMax);
  for (std::size_t i = 0; i < endpoints; ++i) {
    sockets_.emplace_back(broker);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, sockets_.back().fd(), &event) != 0)
      throw std::runtime_error(std::string("cannot watch a socket: ") + std::strerror(errno));
  }
}

Transmit SocketShell::transmit() {
  return [this](std::size_t endpoint, client::Outbox& burst) { send_all(endpoint, burst); };
}

std::span<const std::size_t> SocketShell::wait(std::uint64_t until_ns) {
  const std::uint64_t start_ns = now_ns();
  const std::uint64_t left_ns = until_ns > start_ns ? until_ns - start_ns : 0;
  const timespec timeout{static_cast<time_t>(left_ns / kNsPerSecond), static_cast<long>(left_ns % kNsPerSecond)};
  std::array<epoll_event, kEventsMax> events;
  const int count = epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()), &timeout, nullptr);
  if (count < 0 && errno != EINTR) throw std::runtime_error(std::string("epoll: ") + std::strerror(errno));
  ready_.clear();
  for (int i = 0; i < count; ++i) {
    const std::size_t endpoint = events[static_cast<std::size_t>(i)].data.u64;  // packed: no reference to it
    ready_.push_back(endpoint);
  }
  return ready_;
}

void SocketShell::send_all(std::size_t endpoint, client::Outbox& burst) {
  if (sockets_[endpoint].send(burst)) return;
  const std::uint64_t give_up_ns = now_ns() + kSendWaitNs;
  pollfd writable{sockets_[endpoint].fd(), POLLOUT, 0};
  do {
    poll(&writable, 1, 1);
    if (sockets_[endpoint].send(burst)) return;
  } while (now_ns() < give_up_ns);
  throw std::runtime_error("a socket's send buffer stayed full for 1 s: is its interface up?");
}

void ask_for_exact_wakeups() noexcept { prctl(PR_SET_TIMERSLACK, 1UL); }

std::string udp_unreachable(const wire::Endpoint& broker) {
  return fmt::format("no answer from {} in 5 s: is the broker there? try: ping {}", wire::to_string(broker),
                     wire::to_string(broker.ip));
}

}  // namespace mcplane::loadgen
