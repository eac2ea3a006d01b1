// The event loop between a fleet and a shell that moves its datagrams. A shell has
//   now_ns()            monotonic
//   wait(until_ns)      sleeps until input or that time; returns the endpoints with input
//   receive(i, handle)  hands each datagram of one burst of endpoint i to handle(datagram, from)
// and the fleet sends through the Transmit it was given. The calling thread owns both.
#pragma once

#include <cstddef>
#include <span>

#include "wire/address.h"

namespace mcplane::loadgen {

// Runs until `finished()`, which is asked once a wake-up: at least every kTickNs.
template <class Fleet, class Shell, class Finished>
void drive(Fleet& fleet, Shell& shell, Finished finished) {
  while (!finished()) {
    for (const std::size_t endpoint : shell.wait(fleet.next_wake_ns())) {
      const auto now_ns = shell.now_ns();
      shell.receive(endpoint, [&](std::span<const std::byte> datagram, const wire::Endpoint& from) {
        fleet.on_datagram(endpoint, datagram, from, now_ns);
      });
      fleet.on_burst_end(endpoint, now_ns);
    }
    fleet.on_time(shell.now_ns());
  }
}

}  // namespace mcplane::loadgen
