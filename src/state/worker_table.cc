// See worker_table.h: the gate of a worker whose breaker is half-open.
#include "state/worker_table.h"

namespace mcplane::state {

SessionId WorkerTable::try_acquire_metered(WorkerLine& line, WorkerLoad seen, std::uint16_t& round) noexcept {
  for (;;) {
    const SessionId owner = line.owner();
    const std::uint32_t limit = line.limit(owner, seen);
    if (seen.outstanding() >= limit) break;
    round = seen.round();
    const bool takes = seen.metered() && !planted(PlantedBug::kPermitTwice);
    const WorkerLoad next{seen.bits + WorkerLoad::kOne - (takes ? WorkerLoad::kPermit : 0)};
    if (change(line, seen, line.listing(next, line.limit(owner, next)))) return owner;
  }
  relist(line, seen, 0, nullptr);
  return {};
}

// A permit comes back with a task that was let through by it, and says nothing of the worker.
void WorkerTable::release_metered(WorkerLine& line, WorkerLoad seen, std::uint16_t round) noexcept {
  WorkerLoad next;
  do {
    const bool returns = seen.metered() && round == seen.round() && seen.permits() < Gate::kPermitsMax;
    next.bits = seen.bits - WorkerLoad::kOne + (returns ? WorkerLoad::kPermit : 0);
    next = line.listing(next, line.limit(line.owner(), next));
  } while (!change(line, seen, next));
}

}  // namespace mcplane::state
