// What must hold of a shard's counters, tables and buffers between two loops, whatever happened before.
#include <numeric>

#include "support/shard_rig.h"

namespace mcplane::testing {
namespace {

void expect_equal(std::string& wrong, const std::string& what, std::uint64_t got, std::uint64_t want) {
  if (got != want) wrong += what + ": " + std::to_string(got) + " but " + std::to_string(want) + "\n";
}

}  // namespace

void ShardRig::check_shard(std::uint32_t index, std::string& wrong) {
  dataplane::Shard& shard = *shards_[index];
  const state::ShardCounters& c = shard.counters;
  const std::string at = "shard " + std::to_string(index) + ", ";
  const std::uint64_t dropped =
      std::accumulate(c.dropped.begin(), c.dropped.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const state::Counter& counter) { return sum + counter.read(); });
  expect_equal(wrong, at + "received, and what became of it", c.received.read(),
               c.forwarded.read() + c.handed_off.read() + c.punted.read() + c.completed.read() + dropped);
  expect_equal(wrong, at + "frames dropped for no reason", c.dropped[0].read(), 0);
  expect_equal(wrong, at + "accepted, and what became of it", c.accepted.read(),
               c.delivered.read() + c.expired_unrouted.read() + c.expired_routed.read() + c.worker_lost.read() +
                   c.client_lost.read() + c.cancelled.read() + c.rejected_late.read() + c.open_tasks());
  expect_equal(wrong, at + "queued, and held frames", in_state(state::TaskState::kQueued, index), shard.held.size());
  std::uint64_t in_states = 0;
  for (const state::Counter& gauge : c.in_state) in_states += gauge.read();
  expect_equal(wrong, at + "tasks by state, and task slots in use", in_states, shard.tasks.in_use());
  // Free slots may have one left.
  if (shard.timers.armed() < shard.tasks.in_use())
    wrong += at + "fewer timers, " + std::to_string(shard.timers.armed()) + ", than task slots in use, " +
             std::to_string(shard.tasks.in_use()) + "; ";
  std::uint64_t waiting = 0;
  for (const std::uint16_t route : shard.routes.waiting()) waiting += shard.routes[route].waiting;
  expect_equal(wrong, at + "waiting at routes, and held frames", waiting, shard.held.size());
}

std::string ShardRig::check_counters() {
  std::string wrong;
  std::uint64_t slots_taken = 0, slots_owed = 0;
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    check_shard(i, wrong);
    for (std::size_t s = 0; s < state::kTaskStates; ++s)
      if (state::holds_worker_slot(static_cast<state::TaskState>(s))) slots_owed += counters(i).in_state[s].read();
  }
  for (std::uint32_t i = 0; i < options.workers; ++i) slots_taken += shared.workers[WorkerId{i}].outstanding.load();
  expect_equal(wrong, "worker slots taken, and tasks that hold one", slots_taken, slots_owed);
  expect_equal(wrong, "buffers freed or sent by who does not hold them", nic().free_errors(), 0);
  return wrong;
}

std::string ShardRig::check_balance() {
  settle();
  take_sent();
  std::string wrong = check_counters();
  std::uint64_t kept = 0;
  for (auto& shard : shards_) kept += shard->held.size() + shard->spares.items().size();
  expect_equal(wrong, "buffers free and kept, and all buffers", nic().buffers_free() + kept, nic().buffers_total());
  std::uint64_t sent = 0;
  for (auto& shard : shards_) sent += shard->counters.sent.read();
  expect_equal(wrong, "frames sent, and frames on the wire", sent, frames_taken_);
  return wrong;
}

}  // namespace mcplane::testing
