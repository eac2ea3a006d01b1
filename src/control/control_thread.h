// Polls Control every millisecond, every four while no core has work. A plain thread: cores never wait for it, and
// never wake it. The system calls it "control".
#pragma once

#include <atomic>
#include <thread>

#include "control/control.h"

namespace mcplane::control {

class ControlThread {
 public:
  // Starts at once; `control` outlives it, and no other thread polls it meanwhile.
  explicit ControlThread(Control& control);
  // Ends after the poll under way.
  ~ControlThread();
  ControlThread(const ControlThread&) = delete;
  ControlThread& operator=(const ControlThread&) = delete;

 private:
  void run();

  Control& control_;
  // Written by: the destructor. Relaxed: it says only when to end; join() orders everything else.
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace mcplane::control
