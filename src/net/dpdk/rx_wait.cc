// See rx_wait.h. Descriptors are asked for once: vhost's stays the same whoever connects.
#include "net/dpdk/rx_wait.h"

#include <rte_ethdev.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace mcplane::net {
namespace {

bool add(int epoll, int descriptor, bool level) noexcept {
  epoll_event event{};
  event.events = level ? EPOLLIN : EPOLLIN | EPOLLET;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

}  // namespace

RxWait::RxWait() : epoll_(epoll_create1(EPOLL_CLOEXEC)), event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (epoll_ < 0 || event_ < 0 || !add(epoll_, event_, false)) {
    const std::string why = std::strerror(errno);
    close(epoll_);
    close(event_);
    throw std::runtime_error("no descriptors to sleep by: " + why);
  }
}

RxWait::~RxWait() {
  close(epoll_);
  close(event_);
}

void RxWait::watch(const DpdkPort& port, std::uint16_t queue) {
  const Queue added{port.dpdk_id_, queue, port.options_.rings_for_frames};
  // Asked only of drivers that have interrupts: the others report each question as an error.
  const int descriptor = port.options_.interrupts ? rte_eth_dev_rx_intr_ctl_q_get_fd(added.port, queue) : -1;
  if (descriptor >= 0 && add(epoll_, descriptor, added.level))
    queues_.push_back(added);
  else
    all_signal_ = false;
}

bool RxWait::arm() noexcept {
  armed_.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  bool all = all_signal_;
  // A TAP's descriptor is its interface, and is readable without being asked to.
  for (const Queue& queue : queues_)
    all = (queue.level || rte_eth_dev_rx_intr_enable(queue.port, queue.queue) == 0) && all;
  return all;
}

bool RxWait::wait(int timeout_ms) noexcept {
  std::array<epoll_event, 8> events;
  return epoll_wait(epoll_, events.data(), events.size(), timeout_ms) != 0;  // a signal of the TAP driver's counts too
}

void RxWait::disarm() noexcept {
  armed_.store(false, std::memory_order_relaxed);
  for (const Queue& queue : queues_)
    if (!queue.level) rte_eth_dev_rx_intr_disable(queue.port, queue.queue);
}

void RxWait::rouse() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (armed_.load(std::memory_order_relaxed)) eventfd_write(event_, 1);
}

}  // namespace mcplane::net
