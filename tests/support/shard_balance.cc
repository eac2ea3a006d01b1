// What must hold of a shard's counters, tables and buffers between two loops, whatever happened before.
#include <array>
#include <map>
#include <numeric>
#include <utility>

#include "support/shard_rig.h"

namespace mcplane::testing {
namespace {

void expect_equal(std::string& wrong, const std::string& what, std::uint64_t got, std::uint64_t want) {
  if (got != want) wrong += what + ": " + std::to_string(got) + " but " + std::to_string(want) + "\n";
}

std::array<const state::TaskCounters*, 3> books_of(const state::ShardCounters& counters) {
  return {&counters, &counters.shadow, &counters.mirror};
}

// Whose books it is in, of books_of().
std::size_t kind_of(const dataplane::Task& task) { return task.mirror ? 2 : wire::is_shadow(task.flags) ? 1 : 0; }

// Production's books are those of all its actions.
void check_actions(const state::ShardCounters& counters, const std::string& at, std::string& wrong) {
  using state::TaskEnds;
  for (const TaskEnds::Which end : {&TaskEnds::accepted, &TaskEnds::delivered, &TaskEnds::expired_unrouted,
                                    &TaskEnds::expired_routed, &TaskEnds::worker_lost, &TaskEnds::client_lost,
                                    &TaskEnds::cancelled, &TaskEnds::rejected_late, &TaskEnds::degraded_late}) {
    std::uint64_t of_actions = 0;
    for (const state::ActionCounters& action : counters.actions)
      of_actions += (action.*end).read() + (end == &TaskEnds::delivered ? action.failed.read() : 0);
    expect_equal(wrong, at + "an end of production's tasks, and that of all actions", (counters.*end).read(),
                 of_actions);
  }
}

}  // namespace

bool adds_up(const state::TaskCounters& books) {
  return books.accepted.read() == books.delivered.read() + books.expired_unrouted.read() + books.expired_routed.read() +
                                      books.worker_lost.read() + books.client_lost.read() + books.cancelled.read() +
                                      books.rejected_late.read() + books.degraded_late.read() + books.open_tasks();
}

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
  for (const state::TaskCounters* books : books_of(c))
    if (!adds_up(*books)) wrong += at + "accepted is not what became of it\n";
  if (observed()) check_actions(c, at, wrong);
  const auto sum = [&](auto count) {
    std::uint64_t of_all = 0;
    for (const state::TaskCounters* books : books_of(c)) of_all += count(*books);
    return of_all;
  };
  expect_equal(wrong, at + "queued, and held frames",
               sum([](const auto& books) { return books.in_state[raw(state::TaskState::kQueued)].read(); }),
               shard.held.size());
  expect_equal(wrong, at + "tasks by state, and task slots in use",
               sum([](const auto& books) { return books.in_table(); }), shard.tasks.in_use());
  std::array<std::array<std::uint64_t, state::kTaskStates>, 3> there{};  // by kind and state
  for (std::uint32_t i = 0; i < shard.tasks.touched(); ++i)
    if (const dataplane::Task& task = shard.tasks[i]; task.state != state::TaskState::kFree)
      ++there[kind_of(task)][raw(task.state)];
  for (std::size_t kind = 0; kind < there.size(); ++kind)
    for (std::size_t s = 0; s < state::kTaskStates; ++s)
      expect_equal(wrong, at + "tasks of a kind and state", books_of(c)[kind]->in_state[s].read(), there[kind][s]);
  // Free slots may have one left.
  if (shard.timers.armed() < shard.tasks.in_use())
    wrong += at + "fewer timers, " + std::to_string(shard.timers.armed()) + ", than task slots in use, " +
             std::to_string(shard.tasks.in_use()) + "\n";
  std::uint64_t waiting = 0;
  for (const std::uint16_t route : shard.routes.waiting()) waiting += shard.routes[route].lines.frames;
  expect_equal(wrong, at + "waiting at routes, and held frames", waiting, shard.held.size());
  std::uint64_t open_of_clients = 0;
  for (std::uint32_t i = 0; i < shard.sessions.capacity(); ++i) open_of_clients += shard.sessions.at(i).open;
  std::uint64_t counted = 0;
  for (std::uint32_t i = 0; i < shard.tasks.touched(); ++i)
    counted += shard.tasks[i].state != state::TaskState::kFree && shard.tasks[i].open ? 1 : 0;
  expect_equal(wrong, at + "tasks open for their clients, and those that count", open_of_clients, counted);
}

// A worker's bit is where its line says and nowhere else, and each node's bits are its children's.
std::string ShardRig::check_indexes(bool settled) {
  std::string wrong;
  using Words = std::array<std::uint64_t, state::kLoadLevels>;
  std::map<const state::LoadNode*, Words> nodes, parents;
  for (std::uint32_t i = 0; i < shared.workers.capacity(); ++i) {
    const state::WorkerLine& line = shared.workers[WorkerId{i}];
    if (line.leaf == nullptr) continue;
    Words& words = nodes[line.leaf];
    const state::WorkerLoad load{line.load.load()};
    if (load.listed() != state::WorkerLoad::kUnlisted)
      words[load.listed() - 1] |= std::uint64_t{1} << line.place % state::kLoadFanOut;
    const bool has_room = load.outstanding() < line.limit(line.owner());
    if (settled)
      expect_equal(wrong, "level of worker line " + std::to_string(i), load.listed(),
                   has_room ? 1 + state::level_of(load.outstanding()) : state::WorkerLoad::kUnlisted);
  }
  for (; !nodes.empty(); nodes = std::exchange(parents, {}))
    for (const auto& [node, words] : nodes) {
      std::uint32_t levels = 0;
      for (std::uint32_t level = 0; level < state::kLoadLevels; ++level) {
        const std::string at =
            "level " + std::to_string(level) + " of an index, height " + std::to_string(node->height);
        expect_equal(wrong, at, node->words[level].load(), words[level]);
        if (const state::LoadNode* parent = node->parent.load(); parent != nullptr)
          parents[parent][level] |= std::uint64_t{words[level] != 0} << node->digit;
        levels |= std::uint32_t{words[level] != 0} << level;
      }
      expect_equal(wrong, "levels of an index, height " + std::to_string(node->height), node->levels.load(), levels);
    }
  return wrong;
}

std::string ShardRig::check_counters() {
  std::string wrong;
  std::uint64_t slots_taken = 0, slots_owed = 0;
  for (std::uint32_t i = 0; i < options.shards; ++i) {
    check_shard(i, wrong);
    for (std::size_t s = 0; s < state::kTaskStates; ++s)
      if (state::holds_worker_slot(static_cast<state::TaskState>(s)))
        for (const state::TaskCounters* books : books_of(counters(i))) slots_owed += books->in_state[s].read();
  }
  for (std::uint32_t i = 0; i < options.workers; ++i) slots_taken += shared.workers[WorkerId{i}].outstanding();
  expect_equal(wrong, "worker slots taken, and tasks that hold one", slots_taken, slots_owed);
  wrong += check_indexes(false);
  expect_equal(wrong, "buffers freed or sent by who does not hold them", nic().free_errors(), 0);
  return wrong;
}

std::string ShardRig::check_balance() {
  settle();
  take_sent();
  std::string wrong = check_counters() + check_indexes(true);
  std::uint64_t kept = 0;
  for (auto& shard : shards_) {
    kept += shard->held.size() + shard->spares.items().size();
    for (auto& batch : shard->outgoing) kept += batch.items().size();
    shard->events.for_packets([&kept](const net::Packet&) { ++kept; });
  }
  expect_equal(wrong, "buffers free and kept, and all buffers", nic().buffers_free() + kept, nic().buffers_total());
  std::uint64_t sent = 0;
  for (auto& shard : shards_) sent += shard->counters.sent.read();
  expect_equal(wrong, "frames sent, and frames on the wire", sent, frames_taken_);
  return wrong;
}

}  // namespace mcplane::testing
