// What systemd is told, when it started us (sd_notify(3)); otherwise nothing happens. The watchdog is fed on the
// control thread, and only while each core's loop has gone on since the last time: a thread that hangs has systemd
// start us anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "control/control.h"

namespace mcplane::app {

class ServiceManager {
 public:
  ServiceManager();
  // Between two calls of beat(): a quarter of what the watchdog waits.
  std::chrono::nanoseconds beat_interval() const noexcept { return beat_interval_; }

  // Main thread.
  void ready() const;
  void reloading() const;  // until ready()
  void stopping(std::uint64_t within_ns) const;

  // Control thread.
  void beat(const control::Control& control);

 private:
  bool cores_go_on(const state::Shared& shared);

  std::chrono::nanoseconds beat_interval_;
  std::vector<std::uint64_t> loops_;  // of each core, at the last beat
};

}  // namespace mcplane::app
