// See worker_outcome.h.
#include "dataplane/worker_outcome.h"

namespace mcplane::dataplane {

void count_failure(Shard& shard, Task& task) noexcept {
  if (shard.shared.workers[task.worker].in_round(task.round)) shard.mine.outcomes.add_failure(task.worker);
  task.round = state::kNoRound;
}

// A success, of a round that is over or of a probe.
void count_probe(Shard& shard, Task& task) noexcept {
  if (shard.shared.workers[task.worker].in_round(task.round)) shard.mine.outcomes.add_probe(task.worker);
  task.round = state::kNoRound;
}

}  // namespace mcplane::dataplane
