// Four shards, one thread: bursts for all of them at one NIC queue, and what all of them share.
#include "base/random.h"
#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

class FourShards : public DataplaneTest {
 protected:
  static constexpr std::uint32_t kShards = 4;

  void start(std::uint16_t worker_slots) {
    options.shards = kShards;
    for (std::uint32_t i = 0; i < kShards; ++i)
      clients.push_back(&rig().add_client({.shard = ShardId(static_cast<std::uint8_t>(i))}));
    worker = &rig().add_worker(worker_slots);
    rig().publish();
    EXPECT_TRUE(step().empty());
  }
  Bytes send_of(std::uint32_t shard, std::uint16_t slot, std::uint32_t sequence = 1) {
    return testing::build_frame(rig().send_spec(*clients[shard], slot, sequence));
  }
  std::uint64_t all_in(TaskState state) {
    std::uint64_t all = 0;
    for (std::uint32_t i = 0; i < kShards; ++i) all += rig().in_state(state, i);
    return all;
  }

  std::vector<Peer*> clients;
  Peer* worker = nullptr;
};

TEST_F(FourShards, ABurstForAllOfThemReachesEachInOrder) {
  start(64);
  for (std::uint16_t slot = 0; slot < 8; ++slot)
    for (std::uint32_t shard = 0; shard < kShards; ++shard) rig().inject(ShardId{2}, send_of(shard, slot));
  const auto sent = run_out();
  ASSERT_EQ(count(sent, FrameType::Route), 32U);
  std::array<std::uint16_t, kShards> next_slot{};
  for (const Sent& routed : sent) {
    const std::uint32_t shard = raw(routed.shard);
    EXPECT_EQ(task_of(routed).slot, next_slot[shard]++) << "shard " << shard;
  }
  EXPECT_EQ(rig().counters(2).handed_off.read(), 24U);
  EXPECT_EQ(rig().counters(2).forwarded.read(), 8U);
  for (const std::uint32_t other : {0U, 1U, 3U}) EXPECT_EQ(rig().counters(other).forwarded.read(), 8U);
  for (const Sent& routed : sent) exchange(rig().result_spec(*worker, routed.header()));
  EXPECT_EQ(all_in(TaskState::kDelivering), 32U);
}

// Every shard wants more than the worker's bound, results come in any order, at any NIC queue.
TEST_F(FourShards, HoldAWorkersBoundAtEveryStep) {
  constexpr std::uint16_t kBound = 5, kSlots = 40;
  start(kBound);
  Random random{3};
  for (std::uint32_t shard = 0; shard < kShards; ++shard)
    for (std::uint16_t slot = 0; slot < kSlots; ++slot)
      rig().inject(ShardId(static_cast<std::uint8_t>(random.below(kShards))), send_of(shard, slot));
  std::vector<Sent> at_worker;
  std::uint64_t delivered = 0, at_bound = 0;
  for (int loop = 0; loop < 20'000 && delivered < kShards * kSlots; ++loop) {
    rig().step(ShardId(static_cast<std::uint8_t>(random.below(kShards))));
    ASSERT_LE(rig().outstanding(*worker), kBound);
    ASSERT_EQ(rig().outstanding(*worker), all_in(TaskState::kRouted));
    at_bound += rig().outstanding(*worker) == kBound ? 1 : 0;
    for (Sent& frame : rig().take_sent()) {
      delivered += frame.type() == FrameType::Deliver ? 1 : 0;
      if (frame.type() == FrameType::Route) at_worker.push_back(std::move(frame));
    }
    if (at_worker.empty() || random.below(4) > 0) continue;
    std::swap(at_worker[random.below(static_cast<std::uint32_t>(at_worker.size()))], at_worker.back());
    rig().inject(ShardId(static_cast<std::uint8_t>(random.below(kShards))),
                 testing::build_frame(rig().result_spec(*worker, at_worker.back().header())));
    at_worker.pop_back();
  }
  EXPECT_EQ(delivered, kShards * kSlots);
  EXPECT_GT(at_bound, 100U);
  for (std::uint32_t i = 0; i < kShards; ++i) EXPECT_EQ(rig().in_state(TaskState::kDelivering, i), kSlots);
}

TEST_F(FourShards, AWorkerIsInstalledOnEachAndEndsOnEach) {
  start(8);
  for (std::uint32_t i = 0; i < kShards; ++i) {
    ASSERT_NE(rig().shard(i).sessions.find(worker->session), nullptr);
    for (std::uint32_t owner = 0; owner < kShards; ++owner)
      EXPECT_EQ(rig().shard(i).sessions.find(clients[owner]->session) != nullptr, i == owner);
    EXPECT_EQ(only(exchange(rig().send_spec(*clients[i], 0, 1)), FrameType::Route).header().worker_session(),
              worker->session.value);
  }
  rig().withdraw(*worker);
  rig().publish();
  rig().end_session(*worker);
  const auto told = run_out();
  EXPECT_EQ(told.size(), kShards);
  for (const Sent& frame : told) expect_reject(frame, Reason::WorkerLost, Executed::Maybe);
  for (std::uint32_t i = 0; i < kShards; ++i) {
    EXPECT_EQ(rig().shard(i).sessions.find_any(worker->session), nullptr);
    EXPECT_EQ(rig().take_punts(ShardId(static_cast<std::uint8_t>(i))).size(), 1U);
  }
  EXPECT_EQ(rig().outstanding(*worker), 0U);
}

TEST_F(FourShards, DrainIsForEachOfThem) {
  start(8);
  state::Command drain{};
  drain.kind = state::CommandKind::kDrain;
  for (std::uint32_t i = 0; i < kShards; ++i) rig().command(ShardId(static_cast<std::uint8_t>(i)), drain);
  step();
  for (std::uint32_t i = 0; i < kShards; ++i)
    expect_reject(only(exchange(rig().send_spec(*clients[i], 0, 1)), FrameType::Reject), Reason::Draining,
                  Executed::No);
}

}  // namespace
}  // namespace mcplane::dataplane
