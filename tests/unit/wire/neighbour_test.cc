// Answers byte for byte; checksums by the test's own naive sums.
#include "wire/neighbour.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/frame_builder.h"
#include "wire/layout.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

Bytes answer_to(const Bytes& frame) {
  Bytes answer(frame.size() + 32, std::byte{0xee});
  answer.resize(answer_neighbour_frame(frame, testing::our_addresses(), answer));
  return answer;
}

Bytes from_hex(std::string_view text) {
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
  EXPECT_EQ(answer_to(testing::build_arp_request(kOurV4)),
            from_hex("020000000002 020000000001 0806 0001 0800 06 04 0002"
                     "020000000001 0a000001 020000000002 0a000002"));
  EXPECT_EQ(answer_to(testing::build_arp_request(kOurV4, 0x123)),
            from_hex("020000000002 020000000001 8100 0123 0806 0001 0800 06 04 0002"
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
  EXPECT_EQ(answer, from_hex("020000000002 020000000001 0800 4500 0020 0000 4000 4001 26db 0a000001 0a000002"
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
  Bytes want = from_hex(
      "020000000002 020000000001 86dd 60000000 0020 3a ff"
      "fd000000000000000000000000000001 fd000000000000000000000000000002"
      "88 00 0000 60000000 fd000000000000000000000000000001 02 01 020000000001");
  testing::refresh_checksums(want);
  EXPECT_EQ(answer, want);
}

TEST(Neighbour, AnswersAnAddressProbeToAll) {
  const Bytes answer = answer_to(testing::build_neighbour_solicitation(kOurV6, true, 9));
  Bytes want = from_hex(
      "333300000001 020000000001 8100 0009 86dd 60000000 0020 3a ff"
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
  EXPECT_EQ(frame, from_hex("ffffffffffff 020000000001 0806 0001 0800 06 04 0001"
                            "020000000001 0a000001 000000000000 0a000001"));
  EXPECT_EQ(announce(kOurV4, testing::kOurMac, std::span(frame).first(frame.size() - 1)), 0U);
}

TEST(Neighbour, AnnouncesIpv6) {
  Bytes frame(200);
  frame.resize(announce(kOurV6, testing::kOurMac, frame));
  Bytes want = from_hex(
      "333300000001 020000000001 86dd 60000000 0020 3a ff"
      "fd000000000000000000000000000001 ff020000000000000000000000000001"
      "88 00 0000 20000000 fd000000000000000000000000000001 02 01 020000000001");
  testing::refresh_checksums(want);
  EXPECT_EQ(frame, want);
  EXPECT_EQ(announce(kOurV6, testing::kOurMac, std::span(frame).first(frame.size() - 1)), 0U);
}

std::optional<NeighbourClaim> claim_of(const Bytes& frame) {
  return read_neighbour_claim(frame, testing::our_addresses());
}

const IpAddress kPeerV4 = testing::peer_endpoint(Family::kIpv4).ip;
const IpAddress kPeerV6 = testing::peer_endpoint(Family::kIpv6).ip;
constexpr MacAddress kNewMac = {0x02, 0, 0, 0, 0, 0x77};

Bytes asked(const Question& question) {
  Bytes frame(200);
  frame.resize(ask(question, frame));
  EXPECT_EQ(ask(question, std::span(frame).first(frame.size() - 1)), 0U);
  return frame;
}

TEST(Neighbour, AsksByArp) {
  EXPECT_EQ(asked({.target = kPeerV4, .source = kOurV4, .source_mac = testing::kOurMac}),
            from_hex("ffffffffffff 020000000001 0806 0001 0800 06 04 0001"
                     "020000000001 0a000001 000000000000 0a000002"));
  EXPECT_EQ(asked({.target = kPeerV4, .source = kOurV4, .source_mac = testing::kOurMac, .vlan = 5, .to = kNewMac}),
            from_hex("020000000077 020000000001 8100 0005 0806 0001 0800 06 04 0001"
                     "020000000001 0a000001 000000000000 0a000002"));
}

TEST(Neighbour, AsksBySolicitation) {
  Bytes everyone = from_hex(
      "3333ff000002 020000000001 8100 0005 86dd 60000000 0020 3a ff"
      "fd000000000000000000000000000001 ff0200000000000000000001ff000002"
      "87 00 0000 00000000 fd000000000000000000000000000002 01 01 020000000001");
  testing::refresh_checksums(everyone);
  EXPECT_EQ(asked({.target = kPeerV6, .source = kOurV6, .source_mac = testing::kOurMac, .vlan = 5}), everyone);
  Bytes directly = from_hex(
      "020000000077 020000000001 86dd 60000000 0020 3a ff"
      "fd000000000000000000000000000001 fd000000000000000000000000000002"
      "87 00 0000 00000000 fd000000000000000000000000000002 01 01 020000000001");
  testing::refresh_checksums(directly);
  EXPECT_EQ(asked({.target = kPeerV6, .source = kOurV6, .source_mac = testing::kOurMac, .to = kNewMac}), directly);
}

// Who asks us is one of us, with the roles turned: what we ask is a question its addressee takes.
TEST(Neighbour, QuestionsAreSoundToWhoIsAsked) {
  LocalAddresses peer;
  peer.mac = kNewMac;
  peer.ips[0] = {kPeerV4, 24};
  peer.ips[1] = {kPeerV6, 64};
  peer.count = 2;
  for (const auto& [target, source] : {std::pair{kPeerV4, kOurV4}, std::pair{kPeerV6, kOurV6}})
    for (const auto& to : {std::optional<MacAddress>{}, std::optional(kNewMac)}) {
      const Bytes question =
          asked({.target = target, .source = source, .source_mac = testing::kOurMac, .vlan = 9, .to = to});
      const auto claim = read_neighbour_claim(question, peer);
      ASSERT_TRUE(claim);
      EXPECT_EQ(claim->ip, source);
      EXPECT_EQ(claim->mac, testing::kOurMac);
      EXPECT_EQ(claim->vlan, 9);
      EXPECT_FALSE(claim->solicited);
      Bytes answer(200);
      answer.resize(answer_neighbour_frame(question, peer, answer));
      const auto answered = claim_of(answer);
      ASSERT_TRUE(answered);
      EXPECT_EQ(answered->ip, target);
      EXPECT_EQ(answered->mac, kNewMac);
      EXPECT_TRUE(answered->solicited);
      EXPECT_TRUE(answered->overrides);
    }
}

TEST(Neighbour, ReadsWhatArpTells) {
  const auto reply = claim_of(testing::build_arp({.sender_mac = kNewMac, .vlan = 3}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->ip, kPeerV4);
  EXPECT_EQ(reply->mac, kNewMac);
  EXPECT_EQ(reply->vlan, 3);
  EXPECT_TRUE(reply->solicited);
  EXPECT_TRUE(reply->overrides);
  const IpAddress stranger = IpAddress::v4({192, 0, 2, 9});
  for (const Bytes& frame :
       {testing::build_arp_request(kOurV4), testing::build_gratuitous_arp(kNewMac, stranger),
        testing::build_arp(
            {.operation = 2, .destination_mac = kBroadcastMac, .sender = stranger, .target = stranger})}) {
    const auto claim = claim_of(frame);
    ASSERT_TRUE(claim);
    EXPECT_FALSE(claim->solicited);
    EXPECT_TRUE(claim->overrides);
  }
}

TEST(Neighbour, ReadsWhatDiscoveryTells) {
  for (const bool solicited : {false, true})
    for (const bool overrides : {false, true}) {
      const auto claim = claim_of(testing::build_neighbour_advertisement(
          {.mac = kNewMac, .solicited = solicited, .overrides = overrides, .vlan = 3}));
      ASSERT_TRUE(claim);
      EXPECT_EQ(claim->ip, kPeerV6);
      EXPECT_EQ(claim->mac, kNewMac);
      EXPECT_EQ(claim->vlan, 3);
      EXPECT_EQ(claim->solicited, solicited);
      EXPECT_EQ(claim->overrides, overrides);
    }
  const auto bare = claim_of(testing::build_neighbour_advertisement({.mac = std::nullopt}));
  ASSERT_TRUE(bare);
  EXPECT_FALSE(bare->mac);
  const auto to_all = claim_of(testing::build_neighbour_advertisement({.destination = kAllNodes, .solicited = false}));
  ASSERT_TRUE(to_all);
  EXPECT_EQ(to_all->mac, testing::kPeerMac);
  const auto asker = claim_of(testing::build_neighbour_solicitation(kOurV6));
  ASSERT_TRUE(asker);
  EXPECT_EQ(asker->ip, kPeerV6);
  EXPECT_EQ(asker->mac, testing::kPeerMac);
  EXPECT_FALSE(asker->solicited);
}

TEST(Neighbour, FindsTheLinkAddressBehindOtherOptions) {
  Bytes frame = testing::build_neighbour_advertisement();
  const std::size_t options = kEthernetBytes + kIpv6Bytes + kNeighbourBytes;
  Bytes other = from_hex("0e 01 112233445566");  // a nonce (RFC 3971 5.3.2)
  frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(options), other.begin(), other.end());
  store_be16(frame.data() + kEthernetBytes + 4, static_cast<std::uint16_t>(kNeighbourBytes + 2 * kLinkOptionBytes));
  testing::refresh_checksums(frame);
  const auto claim = claim_of(frame);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->mac, testing::kPeerMac);
  frame[options + 8] = std::byte{kSourceLinkAddress};  // the other kind says nothing of the target
  testing::refresh_checksums(frame);
  EXPECT_FALSE(claim_of(frame)->mac);
}

TEST(Neighbour, TakesNoWordFromWhatNobodyCanBe) {
  EXPECT_FALSE(claim_of({}));
  EXPECT_FALSE(claim_of(build_frame(testing::FrameSpec{}))) << "UDP";
  EXPECT_FALSE(claim_of(testing::build_icmp_echo(Family::kIpv4, 8)));
  EXPECT_FALSE(claim_of(testing::build_icmp_echo(Family::kIpv6, 8)));
  EXPECT_FALSE(claim_of(testing::build_neighbour_solicitation(kOurV6, true))) << "an address probe";
  EXPECT_FALSE(claim_of(testing::build_arp({.operation = 1, .sender = IpAddress::v4({})}))) << "an address probe";
  EXPECT_FALSE(claim_of(testing::build_arp({.sender = kOurV4}))) << "our address";
  EXPECT_FALSE(claim_of(testing::build_arp({.sender_mac = testing::kOurMac}))) << "our MAC";
  EXPECT_FALSE(claim_of(testing::build_arp({.sender_mac = {}}))) << "no MAC";
  EXPECT_FALSE(claim_of(testing::build_neighbour_advertisement({.target = kOurV6}))) << "our address";
  Bytes group = testing::build_neighbour_advertisement();
  group[kEthernetBytes + kIpv6Bytes + kNeighbourBytes + 2] = std::byte{0x33};
  testing::refresh_checksums(group);
  EXPECT_FALSE(claim_of(group)) << "a group's MAC";
  Bytes silent = testing::build_neighbour_solicitation(kOurV6);
  silent[kEthernetBytes + kIpv6Bytes + kNeighbourBytes] = std::byte{14};
  testing::refresh_checksums(silent);
  EXPECT_FALSE(claim_of(silent)) << "its link address left out";
  EXPECT_FALSE(answer_to(silent).empty()) << "yet it is answered";
}

TEST(Neighbour, DropsUnsoundAdvertisementsAndForeignArp) {
  const auto reason = [](const Bytes& frame) { return testing::parse(frame).reason; };
  const auto edited = [](std::size_t at, std::uint8_t value) {
    Bytes frame = testing::build_neighbour_advertisement();
    frame[at] = std::byte{value};
    testing::refresh_checksums(frame);
    return frame;
  };
  constexpr std::size_t kMessage = kEthernetBytes + kIpv6Bytes;
  EXPECT_EQ(reason(testing::build_neighbour_advertisement()), DropReason::kNone);
  EXPECT_EQ(reason(edited(kEthernetBytes + 7, 254)), DropReason::kBadIcmp) << "through a router";
  EXPECT_EQ(reason(edited(kMessage + 1, 1)), DropReason::kBadIcmp) << "code";
  EXPECT_EQ(reason(edited(kMessage + 8, 0xff)), DropReason::kBadIcmp) << "a group as target";
  EXPECT_EQ(reason(edited(kMessage + kNeighbourBytes + 1, 0)), DropReason::kBadIcmp) << "an empty option";
  EXPECT_EQ(reason(edited(kMessage + kNeighbourBytes + 1, 2)), DropReason::kBadIcmp) << "an option beyond the end";
  EXPECT_EQ(reason(edited(kEthernetBytes + 8, 0xff)), DropReason::kBadIpHeader) << "a group as source";
  Bytes wrong = testing::build_neighbour_advertisement();
  wrong[kMessage + 27] ^= std::byte{1};
  EXPECT_EQ(reason(wrong), DropReason::kBadIcmp) << "checksum";
  EXPECT_EQ(reason(testing::build_neighbour_advertisement({.destination = kAllNodes})), DropReason::kBadIcmp)
      << "solicited by all";
  EXPECT_EQ(reason(testing::build_neighbour_advertisement({.destination = kPeerV6})), DropReason::kNotForUs);
  Bytes cut = testing::build_neighbour_advertisement({.mac = std::nullopt});
  store_be16(cut.data() + kEthernetBytes + 4, kNeighbourBytes - 4);
  testing::refresh_checksums(cut);
  EXPECT_EQ(reason(cut), DropReason::kBadIcmp) << "no whole target";
  EXPECT_EQ(reason(testing::build_arp({.target = kPeerV4})), DropReason::kNone) << "gratuitous";
  EXPECT_EQ(reason(testing::build_arp({.sender = IpAddress::v4({10, 0, 0, 8}), .target = kPeerV4})),
            DropReason::kNotForUs);
  EXPECT_EQ(reason(testing::build_arp({.sender = IpAddress::v4({}), .target = IpAddress::v4({})})),
            DropReason::kNotForUs);
}

TEST(Neighbour, GratuitousArpIsNotAnswered) {
  EXPECT_TRUE(answer_to(testing::build_gratuitous_arp(kNewMac)).empty());
  EXPECT_TRUE(answer_to(testing::build_neighbour_advertisement()).empty());
}

TEST(Neighbour, SolicitedNodeMacHoldsTheLastThreeBytes) {
  const IpAddress ip{{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x22, 0x33, 0x44}};
  EXPECT_EQ(solicited_node_mac(ip), (MacAddress{0x33, 0x33, 0xff, 0x22, 0x33, 0x44}));
}

}  // namespace
}  // namespace mcplane::wire
