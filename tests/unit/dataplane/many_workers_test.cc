// Among so many workers that a core fetches ahead where those of a burst's RESULTs are listed: each task has a worker
// of its own, each answer comes, and who has answered is free again.
#include <map>
#include <set>

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

constexpr std::uint32_t kManyWorkers = 4'200;
constexpr std::uint16_t kTasks = 96;

class ManyWorkersTest : public DataplaneTest {
 protected:
  ManyWorkersTest() {
    options.sessions = kManyWorkers + 1;
    options.workers = kManyWorkers;
    for (std::uint32_t i = 0; i < kManyWorkers; ++i) {
      const Peer& worker = rig().add_worker(1);
      workers_.emplace(worker.session.value, &worker);
    }
    client = &rig().add_client();
    rig().publish();
    rig().settle();
  }
  const Peer& worker_of(const Sent& route) const { return *workers_.at(route.header().worker_session()); }

  // All at once; the core takes them by bursts.
  std::vector<Sent> send_all(std::uint32_t sequence) {
    for (std::uint16_t slot = 0; slot < kTasks; ++slot) rig().send(rig().send_spec(*client, slot, sequence));
    return run_out();
  }

  const Peer* client = nullptr;

 private:
  std::map<std::uint32_t, const Peer*> workers_;
};

TEST_F(ManyWorkersTest, EachTaskHasAWorkerOfItsOwnAndItsAnswer) {
  std::set<std::uint32_t> asked;
  for (std::uint32_t sequence = 1; sequence <= 3; ++sequence) {
    const auto routes = send_all(sequence);
    ASSERT_EQ(count(routes, FrameType::Route), kTasks);
    for (const Sent& route : routes) {
      if (route.type() != FrameType::Route) continue;
      asked.insert(route.header().worker_session());
      rig().send(rig().result_spec(worker_of(route), route.header()));
    }
    EXPECT_EQ(count(run_out(), FrameType::Deliver), kTasks);
  }
  EXPECT_EQ(asked.size(), 3U * kTasks) << "those who have waited longest come first";
}

TEST_F(ManyWorkersTest, ResultsOfWhoIsNoWorkerAreNobodys) {
  const auto routes = send_all(1);
  for (const Sent& route : routes) {
    rig().send(edited(rig().spec_of(*client, FrameType::Result), [&](wire::Header& header) {
      wire::set_token(header, wire::token_of(route.header()));
      header.mutate_attempt(route.header().attempt());
    }));
  }
  EXPECT_EQ(count(run_out(), FrameType::Deliver), 0U);
  for (const Sent& route : routes) rig().send(rig().result_spec(worker_of(route), route.header()));
  EXPECT_EQ(count(run_out(), FrameType::Deliver), kTasks);
}

}  // namespace
}  // namespace mcplane::dataplane
