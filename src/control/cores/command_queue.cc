// A command takes the ring directly only when nobody waits before it.
#include "control/cores/command_queue.h"

namespace mcplane::control {

void CommandQueue::push(const state::Command& command) {
  if (waiting_.empty() && ring_->try_push(command)) return;
  waiting_.push_back(command);
}

void CommandQueue::push_frame(const state::Command& command) {
  if (waiting_.size() >= kWaitingFramesMax) {
    ++dropped_;
    return;
  }
  push(command);
}

void CommandQueue::flush() {
  while (!waiting_.empty() && ring_->try_push(waiting_.front())) waiting_.pop_front();
}

}  // namespace mcplane::control
