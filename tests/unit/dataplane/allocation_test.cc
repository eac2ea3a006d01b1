// No heap allocation on a dataplane core after its start, over everything that can happen to a task.
#include "base/random.h"
#include "support/allocations.h"
#include "unit/dataplane/dataplane_test.h"
#include "wire/route_table.h"

namespace mcplane::dataplane {
namespace {

class Allocation : public PairTest {
 protected:
  static constexpr std::uint16_t kSlots = 400;

  // One loop of each shard with nothing else in between.
  void counted_step() {
    const std::size_t before = heap_allocations();
    rig().step();
    allocations += heap_allocations() - before;
  }
  // Some SENDs, of few or of ever new selectors, with short and long lives.
  void submit_some() {
    const std::uint32_t count = random.below(20);
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto slot = static_cast<std::uint16_t>(random.below(kSlots));
      FrameSpec spec = rig().send_spec(*client, slot, slot_of(*client, slot).sequence + 1, 1 + random.below(300));
      if (random.below(8) == 0) spec.table = wire::write_route_table(std::to_string(random.below(1'000)), "", {}, "");
      rig().send(spec);
    }
  }
  void answer_some() {
    for (const Sent& frame : rig().take_sent()) {
      const auto found = std::ranges::find_if(workers, [&](Peer* w) { return w->address == frame.to(); });
      if (found == workers.end()) continue;
      if (frame.type() == FrameType::Route && random.below(4) > 0)
        rig().send(rig().result_spec(**found, frame.header()));
      if (frame.type() == FrameType::Cancel && random.below(2) > 0)
        rig().send(rig().stop_spec(**found, frame.header(), Reason::Stopped));
    }
  }
  void replace_a_worker() {
    Peer*& leaving = workers[random.below(static_cast<std::uint32_t>(workers.size()))];
    rig().withdraw(*leaving);
    rig().end_session(*leaving);
    leaving = &rig().add_worker(8);
    rig().publish();
  }

  Random random{11};
  std::vector<Peer*> workers;
  std::size_t allocations = 0;
};

TEST_F(Allocation, NoneInTenThousandTasksOfEveryFate) {
  options.shard.max_queued = 64;
  client = &rig().add_client({.slots = kSlots});
  for (int i = 0; i < 6; ++i) workers.push_back(&rig().add_worker(8));
  rig().publish();
  rig().step();
  for (int round = 0; rig().counters().accepted.read() < 10'000; ++round) {
    ASSERT_LT(round, 20'000);
    submit_some();
    rig().advance_ms(random.below(4));
    counted_step();
    answer_some();
    if (round % 64 == 63 && round < 64 * 50) replace_a_worker();
    rig().take_punts();
  }
  EXPECT_EQ(allocations, 0U);
  const state::ShardCounters& counters = rig().counters();
  for (const auto* fate :
       {&counters.delivered, &counters.expired_unrouted, &counters.expired_routed, &counters.worker_lost,
        &counters.rejected[raw(Reason::QueueFull)], &counters.rejected[raw(Reason::NoWorker)]})
    EXPECT_GT(fate->read(), 10U);
}

}  // namespace
}  // namespace mcplane::dataplane
