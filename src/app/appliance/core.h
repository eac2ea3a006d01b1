// One dataplane core: its shard, its queue of each port, and the loop over them. The loop is a template over the kind
// of queue; which kind is chosen here, once, and what is virtual is called once a thread, never a frame.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "app/appliance/parts.h"
#include "dataplane/shard.h"
#include "net/dpdk/eal.h"
#include "net/dpdk/rx_wait.h"

namespace mcplane::app {

class Core {
 public:
  Core() = default;
  virtual ~Core() = default;
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // The core's thread: until `stop`. yields: lets others run when there was nothing to do.
  virtual void run(const std::atomic<bool>& stop, bool yields) noexcept = 0;
  // Main thread, when no core runs any more: every buffer back to the pool.
  virtual void finish() noexcept = 0;
};

// What the cores share.
struct CoreSurroundings {
  state::Shared& shared;
  dataplane::HandoffMesh& mesh;
  dataplane::HandoffMesh* relay_mesh = nullptr;
  const Ports& ports;
  const std::vector<std::unique_ptr<net::RxWait>>& waits;  // by shard; none unless cores sleep
};

// Main thread. Each core is made on its own CPU, so that its tables are in the memory nearest to that. What it names
// outlives the cores. Throws what a core's making throws.
std::vector<std::unique_ptr<Core>> make_cores(net::Eal& eal, const ApplianceConfig& config,
                                              const CoreSurroundings& around, std::uint64_t start_ns);

}  // namespace mcplane::app
