// See reference.h. In order of arrival, the next task begins when it has come and the first server is free: that heap
// of k times is the whole simulation.
#include "reference.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "base/check.h"

namespace mcplane::perf {

std::vector<std::uint64_t> ideal_sojourns_ns(std::span<const Work> work, std::uint32_t servers) {
  CHECK(servers > 0);
  const std::vector<std::uint64_t> idle(servers, 0);
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> free_at_ns(idle.begin(), idle.end());
  std::vector<std::uint64_t> sojourns_ns;
  sojourns_ns.reserve(work.size());
  for (const Work& task : work) {
    const std::uint64_t done_ns = std::max(task.sent_ns, free_at_ns.top()) + task.service_ns;
    free_at_ns.pop();
    free_at_ns.push(done_ns);
    sojourns_ns.push_back(done_ns - task.sent_ns);
  }
  return sojourns_ns;
}

// The share of tasks that wait, by the recursion of Erlang B, which stays within range for any k.
double erlang_c_mean_wait(std::uint32_t servers, double load) noexcept {
  const double offered = load * servers;
  double blocked = 1;
  for (std::uint32_t i = 1; i <= servers; ++i) blocked = offered * blocked / (i + offered * blocked);
  const double waiting = blocked / (1 - load * (1 - blocked));
  return waiting / (servers * (1 - load));
}

}  // namespace mcplane::perf
