// The only place in this layer that reads a clock.
#include "control/control_thread.h"

#include <chrono>

namespace mcplane::control {

ControlThread::ControlThread(Control& control) : control_(control), thread_([this] { run(); }) {}

ControlThread::~ControlThread() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
}

void ControlThread::run() {
  using Clock = std::chrono::steady_clock;
  constexpr auto kInterval = std::chrono::milliseconds(1);
  while (!stop_.load(std::memory_order_relaxed)) {
    const auto now = Clock::now();
    control_.poll(static_cast<std::uint64_t>(std::chrono::nanoseconds(now.time_since_epoch()).count()));
    std::this_thread::sleep_until(now + kInterval);
  }
}

}  // namespace mcplane::control
