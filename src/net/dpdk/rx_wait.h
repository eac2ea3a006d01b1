// Sleep until a frame comes: DPDK's rx interrupts of the queues that one core reads, behind one epoll descriptor, and
// an event for what comes from other threads. Interrupts are on only between arm() and disarm(), so that a busy queue
// raises none. may_interrupt() says which kinds of ports have them.
// Made on the main thread; its core arms, waits and disarms, anybody may rouse it.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/types.h"
#include "net/dpdk/port.h"

namespace mcplane::net {

class RxWait {
 public:
  // Throws std::runtime_error with one clear line.
  RxWait();
  ~RxWait();
  RxWait(const RxWait&) = delete;
  RxWait& operator=(const RxWait&) = delete;

  // A queue of the core; before its first arm(). Without PortOptions::interrupts it cannot signal.
  void watch(const DpdkPort& port, std::uint16_t queue);

  // From here on a frame, or rouse(), ends wait(). What came before may go unsignalled: the core looks at its queues
  // and rings once more, then waits. False: some queue cannot signal, so that only a look tells.
  bool arm() noexcept;
  // Returns whether something came within the time; false after a timeout.
  bool wait(int timeout_ms) noexcept;
  void disarm() noexcept;

  // Any thread, after it left something for the core to find. Cheap while that is awake.
  void rouse() noexcept;

 private:
  struct Queue {
    std::uint16_t port = 0, queue = 0;
    bool level = false;  // readable as long as a frame waits; else an event counter, of which only changes count
  };

  std::vector<Queue> queues_;  // those that can signal
  bool all_signal_ = true;
  int epoll_ = -1, event_ = -1;
  // Its store and the fence behind it in arm() pair with the fence and the load in rouse(): either the core sees what
  // was left, in the look it takes after arm(), or the other thread sees that it sleeps.
  alignas(kCacheLineBytes) std::atomic<bool> armed_{false};  // Written by: the core.
};

}  // namespace mcplane::net
