// The host side of the appliance: it answers ARP and ping, says who it is, and finds out where its peers are.
#include "wire/neighbour.h"

#include "control_fixture.h"
#include "wire/layout.h"

namespace mcplane::control {
namespace {

using testing::Family;

constexpr wire::MacAddress kNewMac = {0x02, 0, 0, 0, 0, 0x77};
const wire::IpAddress kPeerV4 = testing::peer_endpoint(Family::kIpv4).ip;

testing::Bytes bytes_of(const state::Command& command) {
  const auto frame = command.frame();
  return {frame.begin(), frame.end()};
}

testing::Bytes announcement_of(const wire::IpAddress& ip) {
  testing::Bytes frame(state::kMailboxFrameBytes);
  frame.resize(wire::announce(ip, testing::kOurMac, frame));
  return frame;
}

testing::Bytes question_of(const wire::Question& question) {
  testing::Bytes frame(state::kMailboxFrameBytes);
  frame.resize(wire::ask(question, frame));
  return frame;
}

class NeighbourTest : public ControlTest {
 protected:
  void expect_announced() {
    const auto spoken = take_spoken();
    ASSERT_EQ(spoken.size(), testing::our_addresses().count);
    for (std::size_t i = 0; i < spoken.size(); ++i)
      EXPECT_EQ(bytes_of(spoken[i]), announcement_of(testing::our_addresses().ips[i].ip));
  }
  // Starts without throwing the first frames away.
  void start_fresh() {
    start();
    control = std::make_unique<Control>(*shared, options, ports, Random(7));
    poll();
  }
  std::optional<wire::MacAddress> mac_of(SessionId id) const {
    return shared->neighbours.find(control->registry().at(id.index()).neighbour);
  }
};

TEST_F(NeighbourTest, AnnouncesEachAddressThreeTimesASecondApart) {
  start_fresh();
  expect_announced();
  for (int repeat = 1; repeat < 3; ++repeat) {
    run(999);
    EXPECT_TRUE(take_spoken().empty());
    run(1);
    expect_announced();
  }
  run(5'000);
  EXPECT_TRUE(take_spoken().empty());
}

TEST_F(NeighbourTest, AnnouncesAgainWhenALinkComesBack) {
  start_fresh();
  run(3'000);
  discard_commands();
  link_up[0] = false;
  run(5'000);
  EXPECT_TRUE(take_spoken().empty());
  link_up[0] = true;
  run(10);
  expect_announced();
  run(5'000);
  EXPECT_EQ(take_spoken().size(), 2 * testing::our_addresses().count);
}

TEST_F(NeighbourTest, AnswersOnTheShardThatAsked) {
  start(2);
  for (const auto& question :
       {testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip),
        testing::build_icmp_echo(Family::kIpv4, 1'400), testing::build_icmp_echo(Family::kIpv6, 56),
        testing::build_neighbour_solicitation(testing::our_endpoint(Family::kIpv6).ip)}) {
    punt_frame(question, 1);
    poll();
    EXPECT_TRUE(take_commands(0).empty());
    const auto commands = take_commands(1);
    ASSERT_EQ(commands.size(), 1U);
    testing::Bytes expected(state::kMailboxFrameBytes);
    expected.resize(wire::answer_neighbour_frame(question, testing::our_addresses(), expected));
    ASSERT_FALSE(expected.empty());
    EXPECT_EQ(bytes_of(commands[0]), expected);
  }
}

TEST_F(NeighbourTest, SaysNothingToWhatAsksForOthers) {
  start();
  punt_frame(testing::build_arp_request(kPeerV4));
  punt_frame(testing::Bytes(20));
  punt_frame(testing::Bytes(state::kMailboxFrameBytes));  // its answer would not fit
  punt_frame(testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip), 0, PortId{9});
  poll();
  EXPECT_TRUE(take_commands().empty());
}

TEST_F(NeighbourTest, AFloodIsTakenInBurstsAndHoldsUpNobody) {
  start();
  for (std::size_t i = 0; i < state::kNeighbourSlots; ++i)
    punt_frame(testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip));
  punt_hello(client_hello());
  poll();
  const auto commands = take_commands();
  EXPECT_EQ(commands.size(), 32U + 2) << "answers, the install and its ACK";
  EXPECT_EQ(std::ranges::count(commands, state::CommandKind::kInstallSession, &state::Command::kind), 1);
  for (std::size_t taken = 32; taken < state::kNeighbourSlots; taken += 32) {
    poll();
    EXPECT_EQ(take_commands().size(), 32U);
  }
  poll();
  EXPECT_TRUE(take_commands().empty());
  EXPECT_EQ(control->commands_dropped(), 0U);
}

TEST_F(NeighbourTest, AHelloGivesTheMacAtOnceAndAsksForIt) {
  start();
  HelloSpec hello = client_hello();
  hello.vlan = 7;
  const state::SessionRecord record = installed(hello);
  ASSERT_NE(record.neighbour, kNoNeighbour);
  EXPECT_EQ(shared->neighbours.find(record.neighbour), testing::kPeerMac);
  const auto spoken = take_spoken();
  ASSERT_EQ(spoken.size(), 1U);
  EXPECT_EQ(bytes_of(spoken[0]), question_of({.target = kPeerV4,
                                              .source = testing::our_endpoint(Family::kIpv4).ip,
                                              .source_mac = testing::kOurMac,
                                              .vlan = 7}));
  punt_frame(testing::build_arp({.sender_mac = kNewMac, .vlan = 7}));
  poll();
  EXPECT_EQ(shared->neighbours.find(record.neighbour), kNewMac) << "what the answer says wins";
}

TEST_F(NeighbourTest, AGratuitousArpMovesASessionWithinThePoll) {
  start();
  const SessionId id = join(client_hello());
  punt_frame(testing::build_arp({}));
  poll();
  punt_frame(testing::build_gratuitous_arp(kNewMac, kPeerV4, 5));
  poll();
  EXPECT_EQ(mac_of(id), testing::kPeerMac) << "another VLAN";
  punt_frame(testing::build_gratuitous_arp(kNewMac));
  poll();
  EXPECT_EQ(mac_of(id), kNewMac);
}

TEST_F(NeighbourTest, AnAdvertisementMovesASession) {
  start();
  HelloSpec hello = client_hello();
  hello.peer = testing::peer_endpoint(Family::kIpv6);
  hello.local = testing::our_endpoint(Family::kIpv6);
  const SessionId id = join(hello);
  punt_frame(testing::build_neighbour_advertisement());
  poll();
  punt_frame(testing::build_neighbour_advertisement({.mac = kNewMac, .solicited = false, .overrides = false}));
  poll();
  EXPECT_EQ(mac_of(id), testing::kPeerMac);
  punt_frame(
      testing::build_neighbour_advertisement({.destination = wire::kAllNodes, .mac = kNewMac, .solicited = false}));
  poll();
  EXPECT_EQ(mac_of(id), kNewMac);
}

TEST_F(NeighbourTest, TheByeIsAnsweredWhereThePeerIsNow) {
  start();
  const SessionId id = join(client_hello());
  punt_frame(testing::build_gratuitous_arp(kNewMac));
  punt_bye(id, testing::peer_endpoint(Family::kIpv4));
  poll();
  const auto ending = take_commands();
  ASSERT_EQ(ending.size(), 2U);
  EXPECT_EQ(ending[1].kind, state::CommandKind::kTransmit);
  EXPECT_EQ(wire::load_mac(ending[1].bytes.data()), kNewMac);
  punt_ended(id);
  punt_bye(id, testing::peer_endpoint(Family::kIpv4));
  poll();
  const auto commands = take_commands();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(wire::load_mac(commands[0].bytes.data()), testing::kPeerMac) << "its entry is gone: as its HELLO came";
}

TEST_F(NeighbourTest, EntriesAreFreedWhenEveryShardLetGo) {
  start(2);
  const SessionId worker = join_worker(worker_hello()), client = join(client_hello(1'000));
  EXPECT_EQ(control->neighbours().count(PortId{0}), 1U) << "one host";
  const NeighbourId neighbour = control->registry().at(worker.index()).neighbour;
  EXPECT_EQ(control->registry().at(client.index()).neighbour, neighbour);
  run(4'000);
  punt_ended(worker, 0);
  punt_ended(client, 0);
  poll();
  EXPECT_EQ(control->neighbours().count(PortId{0}), 1U);
  EXPECT_EQ(shared->neighbours.find(neighbour), testing::kPeerMac);
  punt_ended(worker, 1);
  punt_ended(client, 1);
  poll();
  EXPECT_EQ(control->neighbours().count(PortId{0}), 0U);
  EXPECT_FALSE(shared->neighbours.find(neighbour));
}

TEST_F(NeighbourTest, SessionsBehindAGatewayShareItsEntry) {
  const wire::IpAddress gateway = wire::IpAddress::v4({10, 0, 0, 254});
  options.gateways = {{gateway}};
  start();
  EXPECT_EQ(control->neighbours().count(PortId{0}), 1U);
  punt_frame(testing::build_arp({.sender_mac = kNewMac, .sender = gateway}));
  poll();
  HelloSpec hello = client_hello();
  hello.peer.ip = wire::IpAddress::v4({192, 0, 2, 1});
  const SessionId first = join(hello);
  hello.peer.ip = wire::IpAddress::v4({192, 0, 2, 2});
  const SessionId second = join(hello);
  EXPECT_EQ(control->neighbours().count(PortId{0}), 1U);
  EXPECT_EQ(mac_of(first), kNewMac) << "the gateway's own word, not the HELLO's source";
  EXPECT_EQ(mac_of(second), kNewMac);
}

// The peer's frames come by another port now: headers that were made for the old one lead nowhere.
TEST_F(NeighbourTest, ComingBackByAnotherVlanIsANewSession) {
  start();
  const SessionId first = join(client_hello());
  HelloSpec again = client_hello();
  again.vlan = 5;
  punt_hello(again);
  poll();
  EXPECT_TRUE(take_commands().empty()) << "no newer than the first";
  again.cookie_ms += 1;
  const SessionId second = join(again);
  ASSERT_TRUE(second);
  EXPECT_NE(second, first);
  EXPECT_EQ(control->registry().at(first.index()).phase, Phase::kEnding);
  again.cookie_ms += 1;
  EXPECT_FALSE(join(again)) << "the same way: the ACK was lost, nothing is installed";
}

}  // namespace
}  // namespace mcplane::control
