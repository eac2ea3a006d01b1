// A cluster in virtual time around the production dataplane: N shards on in-memory NICs, with the stations, the worker
// table and the waiting lines that the appliance runs, and control's own rule for the workers' bounds. Simulated are
// what surrounds it: clients that send by a schedule, a network with a fixed delay each way, and workers that run at
// most `slots` tasks at once and keep the rest in order of arrival. One thread; a run is a function of its options.
//
// The broker takes no time: each frame is taken through a whole loop of its shard the moment it arrives, and then every
// shard with tasks waiting has its turn, in an order drawn afresh, as loops without end would have it. No frame is
// lost, so what shards repeat for want of acknowledgements (ACK, RESEND) is ignored.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "state/policy.h"
#include "workload.h"

namespace mcplane::perf {

struct ClusterOptions {
  state::Policy policy = state::Policy::kLeastOutstanding;
  double look_ahead_max = 0;  // control's; 0: a worker's bound is its slots
  std::uint32_t shards = 1;
  std::uint32_t workers = 16;
  std::uint16_t slots = 1;  // of each
  std::uint32_t clients = 64;
  std::uint64_t delay_ns = 0;  // one way between the broker and anybody
  std::uint64_t seed = 1;
};

struct ClusterRun {
  std::vector<std::uint64_t> sojourns_ns;  // of the tasks behind the warm-up, in no order; by their clients' clocks
  bool refused = false;                    // the broker had no room for one more; the run ended there
  std::size_t left = 0;                    // tasks in the cluster when the last one was sent
  double bound_mean = 0;                   // of the workers, at the end
};

// work: in order of time; the first `warm_up` do not count.
ClusterRun run_cluster(const ClusterOptions& options, std::span<const Work> work, std::uint32_t warm_up);

}  // namespace mcplane::perf
