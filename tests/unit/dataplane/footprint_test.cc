// What a task and a worker may take, and that what is said of it is what is kept.
#include "dataplane/footprint.h"

#include <gtest/gtest.h>

namespace mcplane::dataplane {
namespace {

// 256 B a task and 1 KiB a worker are the limits, whatever the worker's pool.
static_assert(sizeof(Task) == 64 && Footprint::kTask == 96);
static_assert(sizeof(state::WorkerLine) == 64);
static_assert(Footprint::kWorker + Footprint::kWorkerOnShard <= 512);
static_assert(Footprint::kWorkerAlone + Footprint::kWorkerOnShard <= 1'024);

TEST(Footprint, AMillionTasksAndSixtyFourThousandWorkersFitOneCore) {
  const state::SharedOptions shared{.sessions = 131'072, .workers = 65'536, .cookie_key = {}};
  const ShardOptions shard{.max_tasks = 1'000'000, .client_slots = 1'048'576, .ports = {}};
  const Footprint bytes = footprint_of(shared, shard);
  EXPECT_LE(bytes.shared + bytes.shard, std::size_t{192} << 20);
  EXPECT_GE(bytes.shard, 1'000'000 * sizeof(Task) + 1'048'576 * sizeof(ClientSlot));
}

TEST(Footprint, AnIndexTakesWhatIsSaid) {
  constexpr std::uint32_t kWorkers = 64'000;
  state::WorkerTable table(kWorkers, 1);
  state::LoadIndex index;
  index.place(table[WorkerId{0}], WorkerId{0});
  EXPECT_LE(sizeof(state::WorkerLine) + index.bytes(), Footprint::kWorkerAlone);
  for (std::uint32_t id = 1; id < kWorkers; ++id) index.place(table[WorkerId{id}], WorkerId{id});
  EXPECT_LE(index.bytes(), kWorkers * state::LoadIndex::kBytesPerWorker);
}

}  // namespace
}  // namespace mcplane::dataplane
