// What a task's end says of its worker, to the worker's breaker (control/workers/breaker.h). Runs on the task's core.
//
//   counts as failed   RESULT that says WorkerError, or took the worker too long; TTL passed with a worker
//   as succeeded       any other RESULT with an answer
//   not at all         a task too large for its worker or malformed, an answer too large to deliver, a task its client
//   gave up or is gone from, one that its worker
//                      would not take, and whatever ends before a worker has it: nobody's fault, or not the worker's
#pragma once

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// Each once a task: its permit is used up then. Tasks of a round before this do not count: the breaker has heard enough
// of them.
// Cost: the worker's line, which the release of its slot needs too, and a word of this core's own.
void count_failure(Shard& shard, Task& task) noexcept;
void count_probe(Shard& shard, Task& task) noexcept;
// Of a worker with several actions, whose breaker is closed: a success, of a task that may be its action's probe.
void count_skill(Shard& shard, Task& task) noexcept;
inline bool is_clients_fault(wire::Reason reason) noexcept {
  return reason == wire::Reason::TooLarge || reason == wire::Reason::Malformed;
}
inline void count_result(Shard& shard, Task& task, const wire::Header& result) noexcept {
  const bool slow = result.worker_us() >= shard.shared.slow_us.load(std::memory_order_relaxed);
  if (result.reason() != wire::Reason::Ok || slow) [[unlikely]] {
    task.set_failed(result.reason() != wire::Reason::Ok);
    if (task.failed()) trace_result(shard, task, result);
    return is_clients_fault(result.reason()) ? void() : count_failure(shard, task);
  }
  const state::WorkerLine& line = shard.shared.workers[task.worker];
  if (line.admits_freely_in(task.round)) [[likely]]
    return line.skills != nullptr ? count_skill(shard, task) : shard.mine.outcomes.add_success(task.worker);
  count_probe(shard, task);
}

// How long the worker's round trip is in its service times, of a task that had none before it there.
inline void note_pace(Shard& shard, const Task& task, std::uint64_t elapsed_ns, std::uint32_t worker_us) noexcept {
  if (!task.paces) return;
  const auto away_us = static_cast<std::uint32_t>(elapsed_ns / kNsPerUs) - task.queued_us;
  shard.shared.workers[task.worker].pace.note(away_us > worker_us ? away_us - worker_us : 0, worker_us);
}

}  // namespace mcplane::dataplane
