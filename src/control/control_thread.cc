// The only place in this layer that reads a clock.
#include "control/control_thread.h"

#include <pthread.h>

#include <chrono>

namespace mcplane::control {

ControlThread::ControlThread(Control& control) : control_(control), thread_([this] { run(); }) {}

ControlThread::~ControlThread() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
}

void ControlThread::run() {
  using Clock = std::chrono::steady_clock;
  pthread_setname_np(pthread_self(), "control");
  constexpr std::chrono::milliseconds kInterval(1), kQuietInterval(4);
  while (!stop_.load(std::memory_order_relaxed)) {
    const auto now = Clock::now();
    const bool cores_had_work =
        control_.poll(static_cast<std::uint64_t>(std::chrono::nanoseconds(now.time_since_epoch()).count()));
    std::this_thread::sleep_until(now + (cores_had_work ? kInterval : kQuietInterval));
  }
}

}  // namespace mcplane::control
