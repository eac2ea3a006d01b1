// The host side of the appliance: it answers ARP and ping, and says who it is at start.
#include "wire/neighbour.h"
#include "control_fixture.h"

namespace mcplane::control {
namespace {

using testing::Family;

TEST_F(ControlTest, AnnouncesEachAddressAtStart) {
  start();
  control = std::make_unique<Control>(*shared, options, std::vector{testing::our_addresses()}, Random(7));
  poll();
  poll();
  const auto commands = take_commands();
  ASSERT_EQ(commands.size(), testing::our_addresses().count);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    testing::Bytes expected(state::kMailboxFrameBytes);
    expected.resize(wire::announce(testing::our_addresses().ips[i].ip, testing::kOurMac, expected));
    const auto frame = commands[i].frame();
    EXPECT_EQ(commands[i].kind, state::CommandKind::kTransmit);
    EXPECT_EQ(testing::Bytes(frame.begin(), frame.end()), expected);
  }
}

TEST_F(ControlTest, AnswersNeighboursOnTheShardThatAsked) {
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
    const auto frame = commands[0].frame();
    EXPECT_EQ(testing::Bytes(frame.begin(), frame.end()), expected);
  }
}

TEST_F(ControlTest, SaysNothingToWhatAsksForOthers) {
  start();
  punt_frame(testing::build_arp_request(testing::peer_endpoint(Family::kIpv4).ip));
  punt_frame(testing::Bytes(20));
  punt_frame(testing::Bytes(state::kMailboxFrameBytes));  // its answer would not fit
  poll();
  EXPECT_TRUE(take_commands().empty());
}

TEST_F(ControlTest, AnswersWaitForASlowShard) {
  start();
  const auto question = testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip);
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < 300; ++i) punt_frame(question);
    poll();
  }
  EXPECT_EQ(take_commands().size(), state::kMailboxSlots);
  poll();
  EXPECT_EQ(take_commands().size(), 600 - state::kMailboxSlots);
  EXPECT_EQ(control->commands_dropped(), 0U);
}

}  // namespace
}  // namespace mcplane::control
