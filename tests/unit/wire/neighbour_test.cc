// Answers byte for byte; checksums by the test's own naive sums.
#include "wire/neighbour.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/frame_builder.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

Bytes answer_to(const Bytes& frame) {
  Bytes answer(frame.size() + 32, std::byte{0xee});
  answer.resize(answer_neighbour_frame(frame, testing::our_addresses(), answer));
  return answer;
}

Bytes hex(std::string_view text) {
  Bytes bytes;
  std::string digits;
  for (const char c : text)
    if (c != ' ') digits += c;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return bytes;
}

void expect_checksums_right(const Bytes& frame) {
  Bytes again = frame;
  testing::refresh_checksums(again);
  EXPECT_EQ(again, frame);
}

const IpAddress kOurV4 = testing::our_endpoint(Family::kIpv4).ip;
const IpAddress kOurV6 = testing::our_endpoint(Family::kIpv6).ip;

TEST(Neighbour, AnswersArp) {
  EXPECT_EQ(answer_to(testing::build_arp_request(kOurV4)), hex("020000000002 020000000001 0806 0001 0800 06 04 0002"
                                                               "020000000001 0a000001 020000000002 0a000002"));
  EXPECT_EQ(answer_to(testing::build_arp_request(kOurV4, 0x123)),
            hex("020000000002 020000000001 8100 0123 0806 0001 0800 06 04 0002"
                "020000000001 0a000001 020000000002 0a000002"));
}

TEST(Neighbour, AnswersNoArpReplyAndNoOtherAddress) {
  Bytes reply = testing::build_arp_request(kOurV4);
  reply[kEthernetBytes + 7] = std::byte{2};
  EXPECT_TRUE(answer_to(reply).empty());
  EXPECT_TRUE(answer_to(testing::build_arp_request(IpAddress::v4({10, 0, 0, 9}))).empty());
}

TEST(Neighbour, AnswersEchoOverIpv4) {
  const Bytes answer = answer_to(testing::build_icmp_echo(Family::kIpv4, 4));
  // Echo data are the builder's: each byte its offset, from the identifier on.
  EXPECT_EQ(answer, hex("020000000002 020000000001 0800 4500 0020 0000 4000 4001 26db 0a000001 0a000002"
                        "00 00 5b57 26272829 2a2b2c2d"))
      << "checksums by hand";
  expect_checksums_right(answer);
}

TEST(Neighbour, EchoKeepsDataTagAndLength) {
  for (const auto family : {Family::kIpv4, Family::kIpv6})
    for (const std::uint16_t vlan : {kNoVlan, std::uint16_t{7}})
      for (const std::size_t length : {0U, 1U, 63U, 1432U}) {
        const Bytes request = testing::build_icmp_echo(family, length, vlan);
        const Bytes answer = answer_to(request);
        ASSERT_EQ(answer.size(), request.size());
        expect_checksums_right(answer);
        const std::size_t l4 = request.size() - length - 8;
        EXPECT_EQ(answer[l4], family == Family::kIpv4 ? std::byte{0} : std::byte{129});
        EXPECT_TRUE(std::equal(answer.begin() + static_cast<std::ptrdiff_t>(l4) + 4, answer.end(),
                               request.begin() + static_cast<std::ptrdiff_t>(l4) + 4));
        // Same tag, MACs swapped.
        EXPECT_TRUE(std::equal(answer.begin(), answer.begin() + 6, request.begin() + 6));
        EXPECT_TRUE(std::equal(answer.begin() + 6, answer.begin() + 12, request.begin()));
        EXPECT_TRUE(std::equal(answer.begin() + 12, answer.begin() + 16, request.begin() + 12));
      }
}

TEST(Neighbour, EchoLeavesEthernetPaddingOut) {
  Bytes request = testing::build_icmp_echo(Family::kIpv4, 0);
  const std::size_t length = request.size();
  request.resize(60);
  EXPECT_EQ(answer_to(request).size(), length);
}

TEST(Neighbour, AnswersSolicitation) {
  const Bytes answer = answer_to(testing::build_neighbour_solicitation(kOurV6));
  Bytes want =
      hex("020000000002 020000000001 86dd 60000000 0020 3a ff"
          "fd000000000000000000000000000001 fd000000000000000000000000000002"
          "88 00 0000 60000000 fd000000000000000000000000000001 02 01 020000000001");
  testing::refresh_checksums(want);
  EXPECT_EQ(answer, want);
}

TEST(Neighbour, AnswersAnAddressProbeToAll) {
  const Bytes answer = answer_to(testing::build_neighbour_solicitation(kOurV6, true, 9));
  Bytes want =
      hex("333300000001 020000000001 8100 0009 86dd 60000000 0020 3a ff"
          "fd000000000000000000000000000001 ff020000000000000000000000000001"
          "88 00 0000 20000000 fd000000000000000000000000000001 02 01 020000000001");
  testing::refresh_checksums(want);
  EXPECT_EQ(answer, want);
}

TEST(Neighbour, IgnoresEverythingElse) {
  EXPECT_TRUE(answer_to({}).empty());
  EXPECT_TRUE(answer_to(build_frame(testing::FrameSpec{})).empty()) << "UDP";
  Bytes routed = testing::build_neighbour_solicitation(kOurV6);
  routed[kEthernetBytes + 7] = std::byte{254};
  EXPECT_TRUE(answer_to(routed).empty()) << "through a router";
}

TEST(Neighbour, WritesNothingWithoutRoom) {
  for (const Bytes& frame :
       {testing::build_arp_request(kOurV4), testing::build_icmp_echo(Family::kIpv4, 100),
        testing::build_icmp_echo(Family::kIpv6, 100), testing::build_neighbour_solicitation(kOurV6)}) {
    const std::size_t length = answer_to(frame).size();
    ASSERT_GT(length, 0U);
    Bytes answer(length);
    EXPECT_EQ(answer_neighbour_frame(frame, testing::our_addresses(), answer), length);
    EXPECT_EQ(answer_neighbour_frame(frame, testing::our_addresses(), std::span(answer).first(length - 1)), 0U);
  }
}

TEST(Neighbour, AnnouncesIpv4) {
  Bytes frame(200);
  frame.resize(announce(kOurV4, testing::kOurMac, frame));
  EXPECT_EQ(frame, hex("ffffffffffff 020000000001 0806 0001 0800 06 04 0001"
                       "020000000001 0a000001 000000000000 0a000001"));
  EXPECT_EQ(announce(kOurV4, testing::kOurMac, std::span(frame).first(frame.size() - 1)), 0U);
}

TEST(Neighbour, AnnouncesIpv6) {
  Bytes frame(200);
  frame.resize(announce(kOurV6, testing::kOurMac, frame));
  Bytes want =
      hex("333300000001 020000000001 86dd 60000000 0020 3a ff"
          "fd000000000000000000000000000001 ff020000000000000000000000000001"
          "88 00 0000 20000000 fd000000000000000000000000000001 02 01 020000000001");
  testing::refresh_checksums(want);
  EXPECT_EQ(frame, want);
  EXPECT_EQ(announce(kOurV6, testing::kOurMac, std::span(frame).first(frame.size() - 1)), 0U);
}

TEST(Neighbour, SolicitedNodeMacHoldsTheLastThreeBytes) {
  const IpAddress ip{{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x22, 0x33, 0x44}};
  EXPECT_EQ(solicited_node_mac(ip), (MacAddress{0x33, 0x33, 0xff, 0x22, 0x33, 0x44}));
}

}  // namespace
}  // namespace mcplane::wire
