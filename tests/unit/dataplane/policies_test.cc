// Policies by route: who gets a task when it is not simply the least loaded worker.
#include <map>
#include <set>

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

using state::Policy;

class Policies : public WorkersTest {
 protected:
  void start_by(Policy policy, std::size_t count, std::uint16_t slots) {
    rig().rule.policy = policy;
    start_workers(count, slots);
  }
  std::size_t number_of(const Sent& route) {
    return static_cast<std::size_t>(std::ranges::find(workers, worker_of(route)) - workers.begin());
  }
  FrameSpec with_key(std::uint16_t slot, std::uint32_t key) {
    return edited(rig().send_spec(*client, slot, 1), [key](wire::Header& header) { wire::set_affinity(header, key); });
  }
  Sent send_with_key(std::uint16_t slot, std::uint32_t key) {
    return only(exchange(with_key(slot, key)), FrameType::Route);
  }
  // As control counts it, some ms later.
  void count_load() {
    std::uint32_t held = 0;
    for (const Peer* one : workers) held += rig().outstanding(*one);
    rig().shard().snapshot->pool(0).load->held.store(held);
  }
};

TEST_F(Policies, RoundRobinGoesRoundWhateverTheyHold) {
  start_by(Policy::kRoundRobin, 3, 10);
  std::vector<std::size_t> order;
  for (std::uint16_t slot = 0; slot < 9; ++slot) {
    const Sent routed = route(slot);
    order.push_back(number_of(routed));
    if (order.back() == 1) answer(routed);  // it is idle again, and still waits for its turn
  }
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2, 0, 1, 2, 0, 1, 2}));
}

TEST_F(Policies, RoundRobinPassesOverWhoIsFull) {
  start_by(Policy::kRoundRobin, 3, 2);
  rig().set_bound(*workers[1], 1);
  step();
  std::map<std::size_t, int> tasks;
  for (std::uint16_t slot = 0; slot < 5; ++slot) ++tasks[number_of(route(slot))];
  EXPECT_EQ(tasks, (std::map<std::size_t, int>{{0, 2}, {1, 1}, {2, 2}}));
  EXPECT_TRUE(submit(5).empty()) << "all are full: it waits";
}

TEST_F(Policies, RoundRobinTakesPoolsByTheirWorkers) {
  rig().rule = {.policy = Policy::kRoundRobin};
  client = &rig().add_client();
  for (int i = 0; i < 3; ++i) workers.push_back(&rig().add_worker(10));
  workers.push_back(&rig().add_worker(10, {.tags = {"gpu", "large"}}));
  rig().publish();
  step();
  std::map<std::size_t, int> tasks;
  for (std::uint16_t slot = 0; slot < 12; ++slot) ++tasks[number_of(route(slot))];
  EXPECT_EQ(tasks, (std::map<std::size_t, int>{{0, 3}, {1, 3}, {2, 3}, {3, 3}}));
}

TEST_F(Policies, WeightedWalksItsRound) {
  rig().turns =
      std::make_shared<state::WorkerOrder>(state::WorkerOrder{WorkerId{0}, WorkerId{1}, WorkerId{0}, WorkerId{0}});
  start_by(Policy::kWeighted, 2, 20);
  std::vector<std::size_t> order;
  for (std::uint16_t slot = 0; slot < 8; ++slot) order.push_back(number_of(route(slot)));
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 0, 0, 0, 1, 0, 0}));
}

TEST_F(Policies, WithoutAnOrderTheLeastLoadedIsTaken) {
  start_by(Policy::kWeighted, 2, 4);
  for (std::uint16_t slot = 0; slot < 8; ++slot) route(slot);
  EXPECT_EQ(rig().outstanding(*workers[0]), 4U);
  EXPECT_EQ(rig().outstanding(*workers[1]), 4U);
}

TEST_F(Policies, AnOrderMayNameWhoIsGone) {
  rig().turns = std::make_shared<state::WorkerOrder>(state::WorkerOrder{WorkerId{0}, WorkerId{1}});
  start_by(Policy::kWeighted, 2, 20);
  rig().withdraw(*workers[0]);
  for (std::uint16_t slot = 0; slot < 6; ++slot) EXPECT_EQ(number_of(route(slot)), 1U);
}

TEST_F(Policies, OfTwoDrawnTheLessLoadedIsTaken) {
  start_by(Policy::kPowerOfTwo, 16, 100);
  for (std::uint16_t slot = 0; slot < 160; ++slot) route(slot);
  std::uint32_t most = 0;
  for (const Peer* one : workers) most = std::max(most, rig().outstanding(*one));
  EXPECT_LE(most, 14U) << "a mean of 10, and a little more: not what one draw gives";
  EXPECT_GT(most, 10U) << "nor what looking at all gives";
}

TEST_F(Policies, OneAddressGoesToOneWorker) {
  rig().hashed =
      std::make_shared<state::WorkerOrder>(state::WorkerOrder{WorkerId{0}, WorkerId{1}, WorkerId{2}, WorkerId{3}});
  start_by(Policy::kSourceHash, 4, 5);
  std::set<std::size_t> used;
  for (std::uint16_t slot = 0; slot < 5; ++slot) used.insert(number_of(route(slot)));
  EXPECT_EQ(used.size(), 1U);
  used.insert(number_of(route(5)));
  EXPECT_EQ(used.size(), 2U) << "that one is full";
}

TEST_F(Policies, DifferentAddressesAreSpread) {
  rig().hashed =
      std::make_shared<state::WorkerOrder>(state::WorkerOrder{WorkerId{0}, WorkerId{1}, WorkerId{2}, WorkerId{3}});
  start_by(Policy::kSourceHash, 4, 100);
  std::map<std::size_t, int> tasks;
  for (int i = 0; i < 100; ++i) {
    client = &rig().add_client({.slots = 1});
    step();
    ++tasks[number_of(route(0))];
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_GE(tasks[i], 10) << i;
}

TEST_F(Policies, AKeyStaysWithItsWorkerUntilThatIsAhead) {
  rig().hashed =
      std::make_shared<state::WorkerOrder>(state::WorkerOrder{WorkerId{0}, WorkerId{1}, WorkerId{2}, WorkerId{3}});
  start_by(Policy::kPrefix, 4, 50);
  const std::size_t its = number_of(send_with_key(0, 7));
  for (std::uint16_t slot = 1; slot < 20; ++slot) {
    count_load();
    const std::size_t got = number_of(send_with_key(slot, 7));
    const float mean = static_cast<float>(slot) / 4;
    const std::uint32_t held = rig().outstanding(*workers[its]);
    if (got == its) {
      EXPECT_LT(static_cast<float>(held - 1), 1.25F * mean + 1) << slot;
    }
  }
  EXPECT_LE(rig().outstanding(*workers[its]), 8U) << "20 tasks of one key do not pile up";
  EXPECT_GE(rig().outstanding(*workers[its]), 5U) << "nor is the key forgotten";
}

TEST_F(Policies, WithoutAKeyPrefixIsLeastLoaded) {
  rig().hashed = std::make_shared<state::WorkerOrder>(state::WorkerOrder{WorkerId{0}});
  start_by(Policy::kPrefix, 4, 50);
  for (std::uint16_t slot = 0; slot < 8; ++slot) send_with_key(slot, 0);
  for (const Peer* one : workers) EXPECT_EQ(rig().outstanding(*one), 2U);
}

// A waiting task's key is looked at when its turn comes.
TEST_F(Policies, WaitersKeepTheirKey) {
  rig().hashed = std::make_shared<state::WorkerOrder>(state::WorkerOrder{WorkerId{1}});
  start_by(Policy::kPrefix, 2, 1);
  const Sent one = send_with_key(0, 7), other = send_with_key(1, 7);
  EXPECT_TRUE(exchange(with_key(2, 7)).empty());
  const Sent& on_its_worker = number_of(one) == 1 ? one : other;
  std::vector<Sent> sent = exchange(rig().result_spec(*workers[1], on_its_worker.header()));
  ASSERT_EQ(count(sent, FrameType::Route), 1U);
  EXPECT_EQ(number_of(first(std::move(sent), FrameType::Route)), 1U);
}

TEST_F(Policies, OneSessionGoesToOneWorker) {
  rig().hashed =
      std::make_shared<state::WorkerOrder>(state::WorkerOrder{WorkerId{0}, WorkerId{1}, WorkerId{2}, WorkerId{3}});
  start_by(Policy::kSession, 4, 50);
  std::set<std::size_t> used;
  for (std::uint32_t i = 1; i < 20; ++i) {
    const Sent routed = route(0, i);
    used.insert(number_of(routed));
    answer(routed);
  }
  EXPECT_EQ(used.size(), 1U);
}

}  // namespace
}  // namespace mcplane::dataplane
