// See worker_outcome.h.
#include "dataplane/worker_outcome.h"

namespace mcplane::dataplane {

void count_failure(Shard& shard, Task& task) noexcept {
  const state::WorkerLine& line = shard.shared.workers[task.worker];
  if (line.in_round(task.round)) {
    if (line.skills != nullptr) line.skills->add_failure(shard.options.id, task.skill);
    shard.mine.outcomes.add_failure(task.worker);
    if (line.is_out(task.skill)) line.skills->leave(task.skill, task.round, false);
  }
  task.round = state::kNoRound;
}

// A success, of a round that is over or of a probe.
void count_probe(Shard& shard, Task& task) noexcept {
  if (shard.shared.workers[task.worker].in_round(task.round)) shard.mine.outcomes.add_probe(task.worker);
  task.round = state::kNoRound;
}

void count_skill(Shard& shard, Task& task) noexcept {
  const state::WorkerLine& line = shard.shared.workers[task.worker];
  line.skills->add_success(shard.options.id, task.skill);
  if (!line.is_out(task.skill)) return shard.mine.outcomes.add_success(task.worker);
  shard.mine.outcomes.add_probe(task.worker);
  line.skills->leave(task.skill, task.round, false);
  task.round = state::kNoRound;
}

}  // namespace mcplane::dataplane
