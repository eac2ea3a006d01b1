// The control thread's end of one shard's command ring, with a waiting line for when the ring is full: commands
// reach the shard in the order they were given, so a session is installed before anything is sent to it.
//
// Bound: a session has at most one install, two refreshes, one end and some turns of its gate on the way, and frames
// wait only while fewer than kWaitingFramesMax commands do; a peer repeats what a lost frame would have answered.
#pragma once

#include <cstdint>
#include <deque>

#include "state/messages.h"

namespace mcplane::control {

class CommandQueue {
 public:
  static constexpr std::size_t kWaitingFramesMax = 1'024;

  explicit CommandQueue(net::SpscRing<state::Command>& ring) : ring_(&ring) {}

  // All but kTransmit: always taken.
  void push(const state::Command& command);
  // kTransmit: dropped and counted when too much waits already.
  void push_frame(const state::Command& command);
  // Moves what waits into the ring, as far as there is room.
  void flush();

  std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  net::SpscRing<state::Command>* ring_;
  std::deque<state::Command> waiting_;
  std::uint64_t dropped_ = 0;
};

}  // namespace mcplane::control
