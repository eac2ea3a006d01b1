// The neighbours' states: who is asked, whose word counts, and that nothing grows by what strangers say.
#include "control/peers/neighbours.h"

#include <gtest/gtest.h>

#include <set>

#include "support/frame_builder.h"

namespace mcplane::control {
namespace {

using State = Neighbours::State;
using testing::Family;
using wire::IpAddress;
using wire::MacAddress;

constexpr MacAddress kFirst = {2, 0, 0, 0, 0, 0x11}, kSecond = {2, 0, 0, 0, 0, 0x22}, kThird = {2, 0, 0, 0, 0, 0x33};
const IpAddress kPeer = testing::peer_endpoint(Family::kIpv4).ip;
const IpAddress kPeer6 = testing::peer_endpoint(Family::kIpv6).ip;
const IpAddress kFar = IpAddress::v4({192, 0, 2, 1});
const IpAddress kRouter = IpAddress::v4({10, 0, 0, 254});
const IpAddress kLinkLocal = *wire::parse_ip("fe80::9");
constexpr PortId kPort{0};

class NeighboursTest : public ::testing::Test {
 protected:
  void start(const Gateways& gateways = {}, std::uint32_t capacity = 16) {
    table = std::make_unique<state::NeighbourTable>(capacity);
    Random random(7);
    neighbours = std::make_unique<Neighbours>(*table, ports, gateways, random);
  }
  NeighbourId take(const IpAddress& peer, const MacAddress& seen = kFirst, std::uint16_t vlan = wire::kNoVlan) {
    return neighbours->take(kPort, vlan, peer, seen, now_ns);
  }
  void hear(const IpAddress& ip, std::optional<MacAddress> mac, bool solicited, bool overrides = true) {
    neighbours->on_claim(kPort, {.ip = ip, .mac = mac, .solicited = solicited, .overrides = overrides}, now_ns);
  }
  std::vector<Neighbours::Ask> due() {
    const auto asks = neighbours->due(now_ns, links);
    return {asks.begin(), asks.end()};
  }
  void pass(std::uint64_t ms) { now_ns += ms * kNsPerMs; }
  // A neighbour that answered a question.
  NeighbourId reachable(const IpAddress& peer = kPeer) {
    const NeighbourId id = take(peer);
    due();
    hear(peer, kFirst, true);
    EXPECT_EQ(neighbours->state(id), State::kReachable);
    return id;
  }

  std::vector<wire::LocalAddresses> ports = {testing::our_addresses()};
  Links links{1};
  std::uint64_t now_ns = 100 * kNsPerSecond;
  std::unique_ptr<state::NeighbourTable> table;
  std::unique_ptr<Neighbours> neighbours;
};

TEST_F(NeighboursTest, AGuessIsUsedAtOnceAndConfirmed) {
  start();
  const NeighbourId id = take(kPeer);
  EXPECT_EQ(table->find(id), kFirst);
  EXPECT_EQ(neighbours->state(id), State::kRefreshing);
  const auto asks = due();
  ASSERT_EQ(asks.size(), 1U);
  EXPECT_EQ(asks[0].port, kPort);
  EXPECT_EQ(asks[0].question.target, kPeer);
  EXPECT_EQ(asks[0].question.source, testing::our_endpoint(Family::kIpv4).ip);
  EXPECT_EQ(asks[0].question.source_mac, testing::kOurMac);
  EXPECT_FALSE(asks[0].question.to) << "everyone: who forged the HELLO would answer for itself";
  EXPECT_TRUE(due().empty());
  hear(kPeer, kSecond, true);
  EXPECT_EQ(neighbours->state(id), State::kReachable);
  EXPECT_EQ(table->find(id), kSecond);
}

TEST_F(NeighboursTest, RefreshAsksDirectlyThenEveryoneThenSlowly) {
  start();
  const NeighbourId id = reachable();
  pass(29'999);
  EXPECT_TRUE(due().empty());
  pass(1);
  std::vector<bool> directly;
  std::vector<std::uint64_t> at_s;
  const std::uint64_t start_ns = now_ns;
  for (int i = 0; i < 30'000; ++i, pass(1))
    for (const auto& ask : due()) {
      directly.push_back(ask.question.to == kFirst);
      at_s.push_back((now_ns - start_ns) / kNsPerSecond);
    }
  EXPECT_EQ(directly, (std::vector{true, true, false, false, false, false, false}));
  EXPECT_EQ(at_s, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 15, 25}));
  EXPECT_EQ(neighbours->state(id), State::kFailed);
  EXPECT_EQ(table->find(id), kFirst) << "its last MAC";
  hear(kPeer, kSecond, true);
  EXPECT_EQ(neighbours->state(id), State::kReachable);
  EXPECT_EQ(table->find(id), kSecond);
}

TEST_F(NeighboursTest, AnAnswerStartsTheThirtySecondsAgain) {
  start();
  const NeighbourId id = reachable();
  for (int round = 0; round < 3; ++round) {
    pass(30'000);
    ASSERT_EQ(due().size(), 1U);
    EXPECT_EQ(neighbours->state(id), State::kRefreshing);
    hear(kPeer, std::nullopt, true);  // a unicast advertisement may leave the address out
    EXPECT_EQ(neighbours->state(id), State::kReachable);
  }
}

// RFC 4861 7.2.5, line by line, of a neighbour that is known.
TEST_F(NeighboursTest, ClaimsFollowTheOverrideRules) {
  struct Case {
    MacAddress mac;
    bool solicited, overrides;
    MacAddress after;
    State state;
  };
  for (const Case& test :
       {Case{kFirst, true, false, kFirst, State::kReachable}, Case{kFirst, false, true, kFirst, State::kReachable},
        Case{kSecond, true, true, kSecond, State::kReachable}, Case{kSecond, false, true, kSecond, State::kRefreshing},
        Case{kSecond, true, false, kFirst, State::kRefreshing},
        Case{kSecond, false, false, kFirst, State::kRefreshing}}) {
    SCOPED_TRACE(::testing::Message() << int{test.mac[5]} << test.solicited << test.overrides);
    start();
    const NeighbourId id = reachable();
    hear(kPeer, test.mac, test.solicited, test.overrides);
    EXPECT_EQ(table->find(id), test.after);
    EXPECT_EQ(neighbours->state(id), test.state);
    // While it is being refreshed, a word that does not override changes nothing.
    if (test.state != State::kRefreshing) continue;
    hear(kPeer, kThird, true, false);
    EXPECT_EQ(table->find(id), test.after);
    EXPECT_EQ(neighbours->state(id), State::kRefreshing);
  }
}

TEST_F(NeighboursTest, UnknownGatewayTakesWhatItHears) {
  start({{kRouter}});
  const NeighbourId id{1};
  EXPECT_EQ(neighbours->state(id), State::kIncomplete);
  EXPECT_FALSE(table->find(id));
  ASSERT_EQ(due().size(), 1U) << "asked for from the start";
  hear(kRouter, std::nullopt, true);
  EXPECT_EQ(neighbours->state(id), State::kIncomplete) << "no address in it";
  hear(kRouter, kSecond, false, false);
  EXPECT_EQ(neighbours->state(id), State::kRefreshing);
  EXPECT_EQ(table->find(id), kSecond);
  EXPECT_TRUE(due().empty()) << "asked a moment ago";
  pass(1'000);
  const auto asks = due();
  ASSERT_EQ(asks.size(), 1U);
  EXPECT_EQ(asks[0].question.to, kSecond);
}

TEST_F(NeighboursTest, SilentGatewayIsAskedThreeTimesThenSlowly) {
  start({{kRouter}});
  std::vector<std::uint64_t> at_s;
  const std::uint64_t start_ns = now_ns;
  for (int i = 0; i < 24'000; ++i, pass(1))
    for (const auto& ask : due()) {
      EXPECT_FALSE(ask.question.to);
      at_s.push_back((now_ns - start_ns) / kNsPerSecond);
    }
  EXPECT_EQ(at_s, (std::vector<std::uint64_t>{0, 1, 2, 13, 23}));
  EXPECT_EQ(neighbours->state(NeighbourId{1}), State::kFailed);
  // A HELLO from behind it says where it may be.
  EXPECT_EQ(take(kFar, kThird), NeighbourId{1});
  EXPECT_EQ(table->find(NeighbourId{1}), kThird);
  EXPECT_EQ(neighbours->state(NeighbourId{1}), State::kRefreshing);
}

TEST_F(NeighboursTest, NextHops) {
  ports[0].ips[2] = {IpAddress::v4({172, 16, 0, 1}), 16};
  ports[0].count = 3;
  start({{kRouter}});
  const auto target_of = [&](const IpAddress& peer) {
    pass(10'000);
    hear(kRouter, kSecond, true);
    due();
    const NeighbourId id = take(peer, kThird);
    const auto asks = due();
    neighbours->release(id);
    return asks.empty() ? IpAddress{} : asks[0].question.target;
  };
  EXPECT_EQ(target_of(kPeer), kPeer);
  EXPECT_EQ(target_of(IpAddress::v4({172, 16, 9, 9})), IpAddress::v4({172, 16, 9, 9}));
  EXPECT_EQ(target_of(kPeer6), kPeer6);
  EXPECT_EQ(target_of(kLinkLocal), kLinkLocal);
  EXPECT_EQ(target_of(kFar), IpAddress{}) << "the gateway, which is known";
  EXPECT_EQ(target_of(*wire::parse_ip("2001:db8::1")), IpAddress{}) << "no gateway of its family: never asked for";
  const NeighbourId near = take(IpAddress::v4({172, 16, 9, 9}));
  const auto asks = due();
  ASSERT_EQ(asks.size(), 1U);
  EXPECT_EQ(asks[0].question.source, ports[0].ips[2].ip) << "of the target's subnet";
  neighbours->release(near);
}

TEST_F(NeighboursTest, WithoutAGatewayOnlyHellosTellWhereAFarPeerIs) {
  start();
  const NeighbourId id = take(kFar, kFirst);
  EXPECT_EQ(neighbours->state(id), State::kLearned);
  EXPECT_EQ(table->find(id), kFirst);
  for (int i = 0; i < 60; ++i, pass(1'000)) EXPECT_TRUE(due().empty());
  hear(kFar, kSecond, false);
  EXPECT_EQ(table->find(id), kFirst);
  neighbours->on_hello(id, kSecond, now_ns);
  EXPECT_EQ(table->find(id), kSecond);
  EXPECT_EQ(neighbours->state(id), State::kLearned);
}

TEST_F(NeighboursTest, AHelloFromElsewhereIsAskedAboutNotBelieved) {
  start({{kRouter}});
  due();
  hear(kRouter, kSecond, true);
  EXPECT_EQ(take(kFar, kThird), NeighbourId{1});
  EXPECT_EQ(table->find(NeighbourId{1}), kSecond);
  EXPECT_EQ(neighbours->state(NeighbourId{1}), State::kReachable) << "another router's hand";

  const NeighbourId id = reachable();
  pass(5'000);
  neighbours->on_hello(id, kThird, now_ns);
  EXPECT_EQ(table->find(id), kFirst);
  const auto asks = due();
  ASSERT_EQ(asks.size(), 1U);
  EXPECT_FALSE(asks[0].question.to) << "it may have moved";
  neighbours->on_hello(id, kThird, now_ns);
  pass(999);
  EXPECT_TRUE(due().empty()) << "HELLOs do not make us ask more often";
  hear(kPeer, kThird, true);
  EXPECT_EQ(table->find(id), kThird);
}

TEST_F(NeighboursTest, StrangersLeaveNothingBehind) {
  start();
  for (std::uint8_t i = 2; i < 200; ++i) hear(IpAddress::v4({10, 0, 0, i}), kSecond, i % 2 == 0);
  EXPECT_EQ(neighbours->count(kPort), 0U);
  EXPECT_TRUE(due().empty());
  const NeighbourId id = take(kPeer, kFirst, 7);
  hear(kPeer, kSecond, true);
  EXPECT_EQ(table->find(id), kFirst) << "the same address on another VLAN is another host";
  EXPECT_EQ(neighbours->count(kPort), 1U);
}

TEST_F(NeighboursTest, EntriesAreCountedByUserAndReusedFirstInFirstOut) {
  start({}, 3);
  const NeighbourId first = take(kPeer);
  EXPECT_EQ(take(kPeer, kSecond), first);
  neighbours->release(first);
  EXPECT_EQ(neighbours->state(first), State::kRefreshing);
  neighbours->release(first);
  EXPECT_EQ(neighbours->state(first), State::kFree);
  EXPECT_FALSE(table->find(first));
  hear(kPeer, kSecond, true);
  EXPECT_FALSE(table->find(first)) << "a late answer finds nobody";
  std::set<NeighbourId> seen;
  for (int i = 0; i < 3; ++i) {
    const NeighbourId id = take(kPeer6);
    EXPECT_TRUE(seen.insert(id).second) << i;
    neighbours->release(id);
  }
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_EQ(*seen.begin(), first) << "in the end";
}

TEST_F(NeighboursTest, NobodyIsAskedOnADeadLink) {
  start();
  const NeighbourId id = reachable();
  const auto down = [](PortId) { return false; };
  links.poll(now_ns, down, [](PortId) {});
  for (int i = 0; i < 90; ++i, pass(1'000)) EXPECT_TRUE(due().empty());
  EXPECT_EQ(neighbours->state(id), State::kReachable) << "its silence is ours";
  links.poll(
      now_ns, [](PortId) { return true; }, [](PortId) {});
  EXPECT_EQ(due().size(), 1U);
}

TEST_F(NeighboursTest, QuestionsAreRationedAndEveryoneHasHisTurn) {
  constexpr std::uint32_t kCount = 1'000;
  start({}, kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    IpAddress peer = kPeer6;
    peer.bytes[14] = static_cast<std::uint8_t>(1 + i / 256);
    peer.bytes[15] = static_cast<std::uint8_t>(i % 256);
    take(peer);
  }
  EXPECT_LE(due().size(), Neighbours::kAskBurst);
  std::set<std::array<std::uint8_t, 16>> asked;
  std::size_t asks = Neighbours::kAskBurst;
  for (int ms = 0; ms < 1'100; ++ms) {
    pass(1);
    for (const auto& ask : due()) {
      asked.insert(ask.question.target.bytes);
      ++asks;
    }
  }
  EXPECT_LE(asks, 1'100U + Neighbours::kAskBurst);
  EXPECT_GE(asked.size(), kCount - Neighbours::kAskBurst) << "within little more than a second";
}

TEST_F(NeighboursTest, TheSameHostOnTwoPortsIsTwoNeighbours) {
  ports.push_back(testing::our_addresses());
  links = Links(2);
  start();
  const NeighbourId first = take(kPeer);
  const NeighbourId second = neighbours->take(PortId{1}, wire::kNoVlan, kPeer, kSecond, now_ns);
  EXPECT_NE(first, second);
  EXPECT_EQ(neighbours->count(PortId{0}), 1U);
  EXPECT_EQ(neighbours->count(PortId{1}), 1U);
  hear(kPeer, kThird, true);
  EXPECT_EQ(table->find(first), kThird);
  EXPECT_EQ(table->find(second), kSecond);
}

}  // namespace
}  // namespace mcplane::control
