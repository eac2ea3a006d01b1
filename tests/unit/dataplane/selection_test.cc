// Which worker gets a task: the least loaded of those that may have it, idle ones in turn, never beyond a bound.
#include <map>
#include <set>

#include "base/random.h"
#include "unit/dataplane/dataplane_test.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {
namespace {

class Selection : public WorkersTest {};

TEST_F(Selection, LoadStaysEven) {
  start_workers(3, 10);
  for (std::uint16_t slot = 0; slot < 30; ++slot) {
    route(slot);
    std::uint32_t least = ~0U, most = 0;
    for (const Peer* peer : workers) {
      least = std::min(least, rig().outstanding(*peer));
      most = std::max(most, rig().outstanding(*peer));
    }
    EXPECT_LE(most - least, 1U);
  }
  EXPECT_TRUE(submit(30).empty());
}

TEST_F(Selection, TheLeastLoadedIsTaken) {
  start_workers(4, 10);
  const std::uint32_t load[] = {5, 3, 1, 4};
  std::map<std::uint32_t, std::vector<Sent>> held;
  for (std::uint16_t slot = 0; slot < 20; ++slot) {
    Sent routed = route(slot);
    held[static_cast<std::uint32_t>(raw(worker_of(routed)->worker))].push_back(std::move(routed));
  }
  for (std::uint32_t i = 0; i < 4; ++i)
    while (held[i].size() > load[i]) answer(held[i].back()), held[i].pop_back();
  EXPECT_EQ(worker_of(route(40)), workers[2]);
  EXPECT_EQ(worker_of(route(41)), workers[2]);
}

TEST_F(Selection, IdleWorkersTakeTurns) {
  start_workers(5, 4);
  std::set<Peer*> used;
  for (std::uint32_t i = 0; i < 5; ++i) {
    const Sent routed = route(0, i + 1);
    used.insert(worker_of(routed));
    answer(routed);
  }
  EXPECT_EQ(used.size(), 5U);
}

TEST_F(Selection, NoBoundIsExceededWhateverComes) {
  client = &rig().add_client();
  for (const std::uint16_t slots : std::array<std::uint16_t, 4>{1, 2, 3, 7})
    workers.push_back(&rig().add_worker(slots));
  rig().publish();
  step();
  Random random(7);
  std::vector<Sent> running;
  std::array<std::uint32_t, 64> sequence{};
  for (int round = 0; round < 2'000; ++round) {
    const auto slot = static_cast<std::uint16_t>(random.below(64));
    std::vector<Sent> sent;
    if (random.below(2) == 0 || running.empty()) {
      sent = submit(slot, sequence[slot] + 1, 60'000);
      sequence[slot] = slot_of(*client, slot).sequence;
    } else {
      const std::size_t which = random.below(static_cast<std::uint32_t>(running.size()));
      std::swap(running[which], running.back());
      sent = exchange(rig().result_spec(*worker_of(running.back()), running.back().header()));
      running.pop_back();
    }
    for (Sent& frame : sent)
      if (frame.type() == FrameType::Route) running.push_back(std::move(frame));
    for (const Peer* peer : workers) ASSERT_LE(rig().outstanding(*peer), peer->spec.slots);
  }
  EXPECT_GT(rig().counters().delivered.read(), 500U);
}

TEST_F(Selection, AWorkerThatAdmitsNothingIsPassedOver) {
  start_workers(2, 8);
  rig().withdraw(*workers[0]);
  for (std::uint16_t slot = 0; slot < 8; ++slot) EXPECT_EQ(worker_of(route(slot)), workers[1]);
  EXPECT_TRUE(submit(8).empty()) << "it waits: one is full, one takes nothing";
}

TEST_F(Selection, ALineThatBelongsToAnotherSessionByNowIsPassedOver) {
  start_workers(1, 8);
  rig().shared.workers[workers[0]->worker].session.store(0x00900001);
  EXPECT_TRUE(submit(0).empty());
  EXPECT_EQ(rig().outstanding(*workers[0]), 0U);
}

TEST_F(Selection, ABoundThatShrinksHoldsTasksBack) {
  start_workers(1, 8);
  worker = workers[0];
  const Sent first = route(0);
  const Sent second = route(1);
  rig().set_bound(*worker, 1);
  EXPECT_TRUE(submit(2).empty());
  EXPECT_EQ(count(finish(first), FrameType::Route), 0U);
  EXPECT_EQ(count(finish(second), FrameType::Route), 1U);
}

TEST_F(Selection, SpreadsOverAllPoolsThatServe) {
  client = &rig().add_client();
  workers.push_back(&rig().add_worker(4, {.actions = {"generate"}, .models = {"llama"}, .tags = {"gpu"}}));
  workers.push_back(&rig().add_worker(4, {.actions = {"generate"}, .models = {"llama"}, .tags = {"eu", "gpu"}}));
  workers.push_back(&rig().add_worker(4, {.actions = {"generate"}, .models = {"llama"}, .tags = {"eu"}}));
  rig().publish();
  step();
  for (std::uint16_t slot = 0; slot < 8; ++slot) route(slot);
  EXPECT_EQ(rig().outstanding(*workers[0]), 4U);
  EXPECT_EQ(rig().outstanding(*workers[1]), 4U);
  EXPECT_EQ(rig().outstanding(*workers[2]), 0U) << "it lacks the tag gpu";
}

}  // namespace
}  // namespace mcplane::dataplane
