// This process's end of a DPDK port: the queue, the link and the shell that one core polls, and what the core's time
// goes to. That core's thread.
#pragma once

#include <sched.h>

#include <string>
#include <thread>
#include <utility>

#include "loadgen/link.h"
#include "loadgen/options.h"
#include "loadgen/port_core.h"
#include "loadgen/port_queue.h"
#include "net/dpdk/eal.h"
#include "net/dpdk/port.h"

namespace mcplane::loadgen {

using PortClock = std::uint64_t (*)() noexcept;

// A Shell is made of the queue, the link, what it is given here, and a clock.
template <class Shell>
class PortEnd {
 public:
  template <class... Args>
  PortEnd(const Options& options, net::DpdkPort& port, Args&&... args)
      : options_(options),
        nic_(port, 0),
        link_(link_options(options)),
        shell_(nic_, link_, std::forward<Args>(args)..., net::tsc_now_ns) {}

  Shell& shell() noexcept { return shell_; }
  std::uint64_t now_ns() const noexcept { return shell_.now_ns(); }
  // Polls, with what polls of this shell are given.
  template <class Finished, class... Fleet>
  void drive(Finished finished, Fleet&... fleet) {
    while (!finished())
      if (!shell_.poll(fleet...) && shares_cpu_) sched_yield();
  }
  void begin_metering() noexcept {
    busy_before_ns_ = shell_.counts().busy_ns;
    metered_from_ns_ = now_ns();
  }
  // Of the time since then, what went to polls that found work.
  double busy() const noexcept {
    const std::uint64_t passed_ns = now_ns() - metered_from_ns_;
    const std::uint64_t busy_ns = shell_.counts().busy_ns - busy_before_ns_;
    return passed_ns == 0 ? 0 : static_cast<double>(busy_ns) / static_cast<double>(passed_ns);
  }
  std::string unreachable() const { return port_unreachable(options_, link_); }
  const PortCounts& counts() const noexcept { return shell_.counts(); }

 private:
  const Options& options_;
  net::DpdkNic nic_;
  Link link_;
  Shell shell_;
  std::uint64_t busy_before_ns_ = 0, metered_from_ns_ = 0;
  const bool shares_cpu_ = std::thread::hardware_concurrency() < 2;
};

}  // namespace mcplane::loadgen
