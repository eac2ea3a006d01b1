// A whole run: faults until enough tasks were sent, then a heal, then silence in which everything must drain, then
// tasks on a sound network, each of which must be answered, and silence again.
#pragma once

#include <cstdint>
#include <string>

#include "coverage.h"

namespace mcplane::sim {

struct Result {
  std::string broken;  // the oracle and what it saw; empty: all held
  std::string last;    // events, when broken
  std::uint64_t hash = 0, events = 0, tasks = 0, delivered = 0, virtual_ns = 0;
  Coverage coverage;
};

Result run(const Options& options, bool print = false);

}  // namespace mcplane::sim
