// A worker whose host says that its port is closed: asked, and gone when it does not answer.
#include "control_fixture.h"

namespace mcplane::control {
namespace {

using state::CommandKind;
using testing::Family;

constexpr WorkerId kFirst{0};
constexpr std::uint64_t kPtoMs = 5, kAsks = 3;

class SuspectTest : public ControlTest {
 protected:
  void punt_closed(SessionId worker, Family family = Family::kIpv4, std::uint32_t boot_id = kBootId) {
    punt_frame(testing::build_port_unreachable(testing::build_sent_route(family, wire::kNoVlan, worker, boot_id)));
    poll();
  }
  std::vector<SentFrame> take_pings(std::size_t shard = 0) {
    std::vector<SentFrame> pings;
    for (const auto& command : take_commands(shard)) {
      if (command.kind != CommandKind::kTransmit) continue;
      pings.push_back(read_frame(command));
      EXPECT_EQ(pings.back().header.type(), wire::FrameType::Ping);
    }
    return pings;
  }
  std::uint32_t room() {
    obey();
    return admitted(kFirst);
  }
};

TEST_F(SuspectTest, IsAskedThreeTimesAPtoApartAndEvicted) {
  start();
  const SessionId id = join_worker(worker_hello());
  discard_commands();
  punt_closed(id);
  for (std::uint64_t asked = 1; asked <= kAsks; ++asked) {
    const auto pings = take_pings();
    ASSERT_EQ(pings.size(), 1U) << asked;
    EXPECT_EQ(pings[0].header.session(), id.value);
    EXPECT_EQ(pings[0].header.boot_id(), kBootId);
    EXPECT_EQ(pings[0].lower.source, testing::our_endpoint(Family::kIpv4));
    ASSERT_TRUE(lives(id));
    run(kPtoMs - 1);
    EXPECT_TRUE(take_pings().empty());
    run(1);
  }
  EXPECT_FALSE(lives(id));
  const auto commands = take_commands();
  ASSERT_FALSE(commands.empty());
  EXPECT_EQ(commands.back().kind, CommandKind::kEndSession);
  EXPECT_EQ(commands.back().record.id, id);
  run(6);
  EXPECT_TRUE(workers_for("generate").empty());
}

TEST_F(SuspectTest, GetsNoNewTasksUntilItIsHeard) {
  start();
  const SessionId id = join_worker(worker_hello());
  run(50);
  const std::uint32_t before = room();
  ASSERT_GT(before, 0U);
  punt_closed(id);
  EXPECT_EQ(room(), 0U);
  run(2 * kPtoMs);
  EXPECT_EQ(room(), 0U);
  hear(id);
  run(1);
  EXPECT_EQ(room(), before);
  discard_commands();
  run(10 * kPtoMs);
  EXPECT_TRUE(lives(id));
  EXPECT_TRUE(take_pings().empty());
}

TEST_F(SuspectTest, AnyShardMayHearIt) {
  start(2);
  const SessionId id = join_worker(worker_hello());
  punt_closed(id);
  hear(id, 1);
  run(kAsks * kPtoMs + 1);
  EXPECT_TRUE(lives(id));
}

TEST_F(SuspectTest, MayBeSuspectedAgain) {
  start();
  const SessionId id = join_worker(worker_hello());
  punt_closed(id);
  run(1);
  hear(id);
  run(1);
  discard_commands();
  punt_closed(id);
  EXPECT_EQ(take_pings().size(), 1U);
  punt_closed(id);
  EXPECT_TRUE(take_pings().empty()) << "it is asked already";
  run(kAsks * kPtoMs);
  EXPECT_FALSE(lives(id));
}

// Its handshake took 20 ms: a round trip may, and vary by half of that.
TEST_F(SuspectTest, WhoIsFarAwayHasLonger) {
  start();
  HelloSpec hello = worker_hello();
  hello.handshake_ms = 20;
  const SessionId id = join_worker(hello);
  punt_closed(id);
  run(kAsks * 3 * 20 - 1);
  EXPECT_TRUE(lives(id));
  run(1);
  EXPECT_FALSE(lives(id));
}

TEST_F(SuspectTest, AShardThatStandsStillEvictsNobody) {
  start();
  const SessionId id = join_worker(worker_hello());
  punt_closed(id);
  paused[0] = true;
  run(1'000);
  EXPECT_TRUE(lives(id));
}

TEST_F(SuspectTest, ALinkThatIsDownEvictsNobody) {
  start();
  const SessionId id = join_worker(worker_hello());
  punt_closed(id);
  link_up[0] = false;
  run(1'000);
  EXPECT_TRUE(lives(id));
}

TEST_F(SuspectTest, WordOfAnotherLifeSessionOrAddressIsIgnored) {
  start();
  const SessionId id = join_worker(worker_hello());
  const SessionId far = join_worker(worker_hello(testing::kPeerPort + 1));
  const SessionId client = join(client_hello(testing::kPeerPort + 2));
  discard_commands();
  punt_closed(id, Family::kIpv4, kBootId + 1);
  punt_closed(SessionId::make(id.index(), id.generation() + 1));
  punt_closed(far);  // which has another port
  punt_closed(id, Family::kIpv6);
  punt_closed(client);
  EXPECT_TRUE(take_pings().empty());
  hear(id), hear(far), hear(client);
  run(kAsks * kPtoMs + 5);
  EXPECT_TRUE(lives(id) && lives(far) && lives(client));
}

TEST_F(SuspectTest, WhoEndsOtherwiseMeanwhileIsForgotten) {
  start();
  const HelloSpec hello = worker_hello();
  const SessionId id = join_worker(hello);
  punt_closed(id);
  HelloSpec successor = worker_hello(testing::kPeerPort, 2);
  successor.cookie_ms = hello.cookie_ms + 1;
  const SessionId next = join_worker(successor);
  EXPECT_FALSE(lives(id));
  punt_ended(id);
  hear(next);
  run(kAsks * kPtoMs + 5);
  EXPECT_TRUE(lives(next));
  obey();
  EXPECT_GT(admitted(WorkerId{1}), 0U);
}

TEST_F(SuspectTest, WhoDrainsMayBeEvicted) {
  start();
  const HelloSpec hello = worker_hello();
  const SessionId id = join_worker(hello);
  obey();
  ASSERT_TRUE(shared->workers.try_acquire(kFirst));
  punt_bye(id, hello.peer);
  run(1);
  ASSERT_EQ(control->registry().at(id.index()).phase, Phase::kDraining);
  punt_closed(id);
  run(kAsks * kPtoMs + 1);
  EXPECT_FALSE(lives(id));
}

}  // namespace
}  // namespace mcplane::control
