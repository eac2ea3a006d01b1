// See memory.h.
#include "app/appliance/memory.h"

#include <fmt/format.h>

#include "app/appliance/parts.h"
#include "dataplane/footprint.h"

namespace mcplane::app {

using dataplane::Footprint;

static_assert(kClientSlotBytes == sizeof(dataplane::ClientSlot));

control::MemoryUse memory_of(const ApplianceConfig& config) {
  const Footprint tables = dataplane::footprint_of(shared_options(config), shard_options(config, ShardId{}, 0));
  return {.task_bytes = Footprint::kTask + (config.traces() ? dataplane::Spans::kBytesPerTask : 0),
          .worker_bytes = Footprint::kWorker,
          .worker_shard_bytes = Footprint::kWorkerOnShard,
          .session_shard_bytes = Footprint::kSessionOnShard,
          .tables_bytes = tables.shared + config.cores.size() * tables.shard};
}

std::string memory_line(const ApplianceConfig& config) {
  const control::MemoryUse use = memory_of(config);
  return fmt::format(
      "memory: {} B a task, {} B a worker and {} B on each core, {} B a client; tables {} MiB, packet "
      "buffers {} MiB",
      use.task_bytes, use.worker_bytes, use.worker_shard_bytes, use.session_shard_bytes, (use.tables_bytes >> 20) + 1,
      config.memory_mib());
}

}  // namespace mcplane::app
