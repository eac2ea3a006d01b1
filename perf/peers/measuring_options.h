// What every load of perf is told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mcplane::peers {

struct Measuring {
  std::uint16_t port = 0;        // the broker's, on 127.0.0.1, for clients
  std::vector<int> broker_pids;  // whose CPU time is counted
  std::size_t payload_bytes = 256;
  double seconds = 3, warmup_seconds = 0.5;
};

}  // namespace mcplane::peers
