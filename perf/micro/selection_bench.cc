// Choosing a worker and giving its slot back, by how many workers there are and how loaded they are: the cost must not
// grow with their number, beyond what a cache misses. Arguments: workers; share of their slots that is taken, percent;
// cores in the table: 1 takes no locked instruction. Each worker has 8 slots.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "base/random.h"
#include "state/load_index.h"
#include "state/worker_table.h"

namespace mcplane::perf {
namespace {

constexpr std::uint32_t kSlots = 8;

// Acquires as dataplane/worker_choice.cc does, of one pool and without lost races.
class Workers {
 public:
  Workers(std::uint32_t count, std::uint32_t cores) : table_(count, cores) {
    for (std::uint32_t id = 0; id < count; ++id) {
      state::WorkerLine& line = table_[WorkerId{id}];
      line.bound = kSlots;
      line.admits = 1;
      line.session = SessionId::make(id, 1).value;
      index_.place(line, WorkerId{id});
      table_.refresh(WorkerId{id});
    }
  }
  WorkerId acquire() noexcept {
    for (std::uint32_t level = 0; level < state::kLoadLevels; ++level) {
      if (!index_.any(level)) continue;
      const state::LoadIndex::Found found = index_.find(level, rotor_);
      rotor_ = found.place + 1;
      if (table_.try_acquire(found.worker)) return found.worker;
    }
    return kNoWorker;
  }
  void release(WorkerId worker) noexcept { table_.release(worker); }

 private:
  state::WorkerTable table_;
  state::LoadIndex index_;
  std::uint32_t rotor_ = 0;
};

void choose_and_release(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  Workers workers(count, static_cast<std::uint32_t>(state.range(2)));
  std::vector<WorkerId> held(std::size_t{count} * kSlots * static_cast<std::uint32_t>(state.range(1)) / 100 + 1);
  for (WorkerId& worker : held) worker = workers.acquire();
  // RESULTs come back in another order than ROUTEs went.
  Random random(1);
  for (std::size_t i = held.size(); i > 1; --i)
    std::swap(held[i - 1], held[random.below(static_cast<std::uint32_t>(i))]);
  std::size_t next = 0;
  for ([[maybe_unused]] auto unused : state) {
    workers.release(held[next]);
    held[next] = workers.acquire();
    if (held[next] == kNoWorker) return state.SkipWithError("no worker with room was found");
    next = next + 1 < held.size() ? next + 1 : 0;
  }
}

BENCHMARK(choose_and_release)
    ->ArgNames({"workers", "load", "cores"})
    ->ArgsProduct({{10, 1'000, 64'000}, {0, 80}, {1, 4}});

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
