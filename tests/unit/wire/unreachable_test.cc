// Port unreachable: only of the host that was asked, and only with a ROUTE of ours in it.
#include "wire/unreachable.h"

#include <gtest/gtest.h>

#include "support/frame_builder.h"
#include "wire/layout.h"
#include "wire/neighbour.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};

std::optional<ClosedPort> read(const Bytes& frame) { return read_closed_port(frame, testing::our_addresses()); }

// Of a frame without a tag: where the quoted packet begins.
std::size_t quoted_at(Family family) {
  return kEthernetBytes + (family == Family::kIpv4 ? kIpv4Bytes : kIpv6Bytes) + kIcmpBytes;
}

std::size_t quoted_lead_at(Family family) {
  return quoted_at(family) + (family == Family::kIpv4 ? kIpv4Bytes : kIpv6Bytes) + kUdpBytes;
}

Bytes edited(Family family, std::size_t at) {
  Bytes frame = testing::build_port_unreachable(testing::build_sent_route(family));
  frame[at] ^= std::byte{1};
  testing::refresh_checksums(frame);
  return frame;
}

TEST(Unreachable, NamesTheWorkerOfTheQuotedRoute) {
  for (const Family family : kFamilies) {
    for (const std::uint16_t vlan : {kNoVlan, std::uint16_t{7}}) {
      const auto closed = read(testing::build_port_unreachable(testing::build_sent_route(family, vlan)));
      ASSERT_TRUE(closed);
      EXPECT_EQ(closed->peer, testing::peer_endpoint(family));
      EXPECT_EQ(closed->boot_id, testing::kSampleBoot);
      EXPECT_EQ(closed->worker.value, testing::kSampleSession);
    }
  }
}

TEST(Unreachable, ALongRouteIsQuotedInPart) {
  for (const Family family : kFamilies) {
    testing::FrameSpec spec = testing::sent_route_spec(family);
    spec.payload.resize(1'300);
    spec.edit = [](Header& header) { header.mutate_worker_session(5); };
    const Bytes sent = build_frame(spec);
    const Bytes frame = testing::build_port_unreachable(sent);
    ASSERT_LT(frame.size(), sent.size());
    const auto closed = read(frame);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->worker.value, 5U);
  }
}

TEST(Unreachable, TellsNothingUnlessARouteOfOursIsQuotedByTheHostItWentTo) {
  for (const Family family : kFamilies) {
    const bool v4 = family == Family::kIpv4;
    const std::size_t ip = quoted_at(family), lead = quoted_lead_at(family);
    EXPECT_FALSE(read(edited(family, ip + (v4 ? 9 : 6)))) << "protocol";
    EXPECT_FALSE(read(edited(family, ip + (v4 ? 15 : 23)))) << "not from us";
    EXPECT_FALSE(read(edited(family, ip + (v4 ? 19 : 39)))) << "another host's";
    EXPECT_FALSE(read(edited(family, lead))) << "magic";
    EXPECT_FALSE(read(edited(family, lead + kMagicBytes))) << "version";
    EXPECT_FALSE(read(edited(family, lead + kMagicBytes + 1))) << "type";
    EXPECT_TRUE(read(edited(family, lead + kLeadBytes))) << "what follows the header is not looked at";
  }
}

TEST(Unreachable, TellsNothingWhenTheHeaderIsNotWhole) {
  for (const Family family : kFamilies) {
    const Bytes sent = testing::build_sent_route(family);
    const std::size_t l3 = family == Family::kIpv4 ? kIpv4Bytes : kIpv6Bytes;
    const std::size_t least = kEthernetBytes + l3 + kUdpBytes + kLeadBytes;
    EXPECT_TRUE(read(testing::build_port_unreachable(std::span(sent).first(least))));
    EXPECT_FALSE(read(testing::build_port_unreachable(std::span(sent).first(least - 1))));
    EXPECT_FALSE(read(testing::build_port_unreachable(std::span(sent).first(kEthernetBytes + l3 + 8)))) << "RFC 792";
  }
}

TEST(Unreachable, OtherFramesTellNothing) {
  for (const Family family : kFamilies) {
    EXPECT_FALSE(read(testing::build_icmp_echo(family, 200)));
    EXPECT_FALSE(read(testing::build_sent_route(family)));
  }
  EXPECT_FALSE(read(testing::build_arp({})));
  EXPECT_FALSE(read(testing::build_neighbour_advertisement()));
  EXPECT_FALSE(read({}));
}

// Errors must not beget errors (RFC 1122 3.2.2, RFC 4443 2.4).
TEST(Unreachable, IsNotAnswered) {
  for (const Family family : kFamilies) {
    const Bytes frame = testing::build_port_unreachable(testing::build_sent_route(family));
    Bytes answer(frame.size() + 32);
    EXPECT_EQ(answer_neighbour_frame(frame, testing::our_addresses(), answer), 0U);
    EXPECT_FALSE(read_neighbour_claim(frame, testing::our_addresses()));
  }
}

}  // namespace
}  // namespace mcplane::wire
