// Finding the next hop and being found, as frames in and frames out.
#include "loadgen/link.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/types.h"
#include "wire/checksum.h"
#include "wire/layout.h"
#include "wire/neighbour.h"

namespace mcplane::loadgen {
namespace {

constexpr wire::MacAddress kOurMac = {2, 0, 0, 0, 0, 2}, kBrokerMac = {2, 0, 0, 0, 0, 1}, kNewMac = {2, 0, 0, 0, 0, 9};

wire::IpAddress ip(const char* text) { return wire::parse_ip(text).value(); }

LinkOptions on_subnet(const char* ours, const char* broker) {
  const std::uint8_t length = ip(ours).is_v4() ? 24 : 64;
  return {.addresses = {{ip(ours), length}}, .mac = kOurMac, .broker = ip(broker), .next_hop = ip(broker)};
}

// The other side of the link.
wire::LocalAddresses host(const wire::IpAddress& address, const wire::MacAddress& mac) {
  wire::LocalAddresses local;
  local.ips[local.count++] = {address, 24};
  local.mac = mac;
  return local;
}

using Frame = std::vector<std::byte>;

Frame due(Link& link, std::uint64_t now_ns) {
  Frame frame(Link::kFrameBytesMax);
  frame.resize(link.write_due(now_ns, frame));
  return frame;
}

Frame answer_of(const Frame& question, const wire::LocalAddresses& local) {
  Frame answer(question.size() + 64);
  answer.resize(wire::answer_neighbour_frame(question, local, answer));
  return answer;
}

Frame announcement(const wire::IpAddress& address, const wire::MacAddress& mac) {
  Frame frame(128);
  frame.resize(wire::announce(address, mac, frame));
  return frame;
}

std::size_t give(Link& link, const Frame& frame) {
  std::array<std::byte, Link::kFrameBytesMax> answer{};
  return link.on_frame(frame, answer);
}

wire::MacAddress destination_of(const Link& link) {
  std::array<std::byte, 256> frame{};
  link.write_headers(frame.data(), 0, 5'000, 4'800, 98, 0);
  return wire::load_mac(frame.data());
}

class LinkOfEachFamily : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(LinkOfEachFamily, AnnouncesAsksAndLearns) {
  Link link(on_subnet(GetParam().first, GetParam().second));
  EXPECT_FALSE(link.resolved());
  const wire::LocalAddresses broker = host(ip(GetParam().second), kBrokerMac);
  EXPECT_EQ(wire::load_mac(due(link, 0).data() + 6), kOurMac);
  const Frame question = due(link, 0);
  EXPECT_TRUE(due(link, 0).empty());
  const Frame answer = answer_of(question, broker);
  ASSERT_FALSE(answer.empty());
  EXPECT_EQ(give(link, answer), 0U);
  ASSERT_TRUE(link.resolved());
  EXPECT_EQ(destination_of(link), kBrokerMac);
}

TEST_P(LinkOfEachFamily, AsksAgainUntilAnsweredThenSeldom) {
  Link link(on_subnet(GetParam().first, GetParam().second));
  due(link, 0);
  const Frame question = due(link, 0);
  EXPECT_TRUE(due(link, kNsPerSecond - 1).empty());
  EXPECT_FALSE(due(link, kNsPerSecond).empty());
  give(link, answer_of(question, host(ip(GetParam().second), kBrokerMac)));
  EXPECT_FALSE(due(link, 2 * kNsPerSecond).empty());
  EXPECT_TRUE(due(link, 31 * kNsPerSecond).empty());
  const Frame refresh = due(link, 32 * kNsPerSecond);
  ASSERT_FALSE(refresh.empty());
  EXPECT_EQ(wire::load_mac(refresh.data()), kBrokerMac);
}

TEST_P(LinkOfEachFamily, AnswersWhoAsksForUs) {
  Link link(on_subnet(GetParam().first, GetParam().second));
  Frame question(128);
  question.resize(
      wire::ask({.target = ip(GetParam().first), .source = ip(GetParam().second), .source_mac = kBrokerMac}, question));
  EXPECT_GT(give(link, question), 0U);
  EXPECT_TRUE(link.resolved());
}

TEST_P(LinkOfEachFamily, FollowsANextHopThatMoves) {
  Link link(on_subnet(GetParam().first, GetParam().second));
  give(link, announcement(ip(GetParam().second), kBrokerMac));
  ASSERT_EQ(destination_of(link), kBrokerMac);
  give(link, announcement(ip(GetParam().second), kNewMac));
  EXPECT_EQ(destination_of(link), kNewMac);
}

INSTANTIATE_TEST_SUITE_P(Families, LinkOfEachFamily,
                         testing::Values(std::pair("10.9.0.2", "10.9.0.1"), std::pair("fd00::2", "fd00::1")));

TEST(Link, StrangersTeachNothing) {
  Link link(on_subnet("10.9.0.2", "10.9.0.1"));
  give(link, announcement(ip("10.9.0.3"), kNewMac));
  EXPECT_FALSE(link.resolved());
  give(link, Frame(3));
  EXPECT_FALSE(link.resolved());
}

TEST(Link, ABrokerElsewhereIsReachedThroughTheGateway) {
  LinkOptions options = on_subnet("10.9.0.2", "10.8.0.1");
  options.next_hop = ip("10.9.0.254");
  Link link(options);
  give(link, announcement(ip("10.8.0.1"), kBrokerMac));
  EXPECT_FALSE(link.resolved());
  give(link, announcement(ip("10.9.0.254"), kNewMac));
  EXPECT_EQ(destination_of(link), kNewMac);
}

TEST(Link, HeadersAreSoundAndCarryThePorts) {
  Link link(on_subnet("10.9.0.2", "10.9.0.1"));
  give(link, announcement(ip("10.9.0.1"), kBrokerMac));
  std::vector<std::byte> frame(link.header_bytes() + 101, std::byte{0x5a});
  const auto datagram = std::span(frame).subspan(link.header_bytes());
  link.write_headers(frame.data(), 0, 61'234, 4'807, 101, wire::sum_bytes(datagram));
  const wire::Datagram parsed = wire::parse_frame(frame, host(ip("10.9.0.1"), kBrokerMac), false);
  ASSERT_EQ(parsed.reason, DropReason::kNone);
  EXPECT_EQ(parsed.source.port, 61'234);
  EXPECT_EQ(parsed.destination_port, 4'807);
  EXPECT_EQ(parsed.payload_length, 101);
}

// What read() takes is what the full parser finds; what it leaves, however bent, is for that parser to judge.
TEST(Link, ReadsWhatTheParserReads) {
  Link link(on_subnet("10.9.0.2", "10.9.0.1"));
  const auto lower =
      wire::make_lower_headers(kBrokerMac, kOurMac, wire::kNoVlan, {ip("10.9.0.1"), 4'801}, {ip("10.9.0.2"), 5'003});
  std::vector<std::byte> datagram(101, std::byte{0x5a});
  std::vector<std::byte> frame(wire::kLowerBytesMax + 2);
  wire::write_lower_headers(lower, frame.data(), 101, wire::sum_bytes(datagram));
  frame.resize(lower.length);
  frame.insert(frame.end(), datagram.begin(), datagram.end());
  Inbound inbound;
  ASSERT_TRUE(link.read(frame, false, inbound));
  EXPECT_EQ(inbound.port, 5'003);
  EXPECT_EQ(inbound.source_port, 4'801);
  EXPECT_EQ(inbound.offset, lower.length);
  EXPECT_EQ(inbound.bytes, 101U);
  EXPECT_EQ(inbound.address, 0U);
  frame.resize(frame.size() + 3);  // padding
  for (std::size_t i = 0; i < frame.size() - 3; ++i)
    for (int bit = 0; bit < 8; ++bit)
      for (const bool good : {false, true}) {
        std::vector<std::byte> bent = frame;
        bent[i] ^= static_cast<std::byte>(1 << bit);
        if (!link.read(bent, good, inbound)) continue;
        const wire::Datagram parsed = wire::parse_frame(bent, link.local(), good);
        ASSERT_EQ(parsed.frame_class, wire::FrameClass::kUdp) << i;
        EXPECT_EQ(parsed.destination_port, inbound.port);
        EXPECT_EQ(parsed.source, (wire::Endpoint{ip("10.9.0.1"), inbound.source_port}));
        EXPECT_EQ(parsed.payload_offset, inbound.offset);
        EXPECT_EQ(parsed.payload_length, inbound.bytes);
      }
  for (std::size_t bytes = 0; bytes < frame.size() - 3; ++bytes)
    EXPECT_FALSE(link.read(std::span(frame).first(bytes), true, inbound)) << bytes;
}

}  // namespace
}  // namespace mcplane::loadgen
