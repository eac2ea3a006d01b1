// Each sound frame, cut at every length: refused, and (under ASan) nothing read beyond the cut.
#include <gtest/gtest.h>

#include "support/frame_builder.h"
#include "wire/registration.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

// A copy of its own, so that ASan sees a read one byte behind it.
Bytes cut_to(const Bytes& bytes, std::size_t length) {
  return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
}

TEST(Truncation, FramesCutOnTheWireAreRefused) {
  for (const auto type : testing::all_types())
    for (const auto family : {Family::kIpv4, Family::kIpv6})
      for (const std::uint16_t vlan : {kNoVlan, std::uint16_t{5}}) {
        const Bytes frame = build_frame(testing::sample_spec(type, family, vlan));
        for (std::size_t length = 0; length < frame.size(); ++length) {
          const auto reason = testing::parse(cut_to(frame, length)).reason;
          ASSERT_TRUE(reason == DropReason::kShortFrame || reason == DropReason::kBadIpHeader)
              << EnumNameFrameType(type) << ' ' << length << ' ' << name_of(reason);
        }
      }
}

// The sender itself stopped early: lower lengths and checksums are right, MCP is not. Cut behind its table, a task is
// part 0 of one.
TEST(Truncation, DatagramsCutByTheSenderAreRefused) {
  for (const auto type : testing::all_types()) {
    const testing::FrameSpec spec = testing::sample_spec(type);
    const Bytes datagram = build_datagram(spec);
    // A HELLO's padding may have any length.
    const std::size_t needed = type == FrameType::Hello ? datagram.size() - spec.payload.size() : datagram.size();
    for (std::size_t length = 0; length < needed; ++length) {
      const auto reason = testing::parse(build_udp_frame(spec, std::span(datagram).first(length))).reason;
      const bool task = type == FrameType::Send || type == FrameType::Route;
      const auto want = length < kLeadBytes                                ? DropReason::kShortHeader
                        : task && length >= kLeadBytes + spec.table.size() ? DropReason::kNone
                                                                           : DropReason::kBadLength;
      ASSERT_EQ(name_of(reason), name_of(want)) << EnumNameFrameType(type) << ' ' << length;
    }
  }
}

TEST(Truncation, ControlFramesCutAreRefused) {
  for (const Bytes& frame : {testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip),
                             testing::build_icmp_echo(Family::kIpv4, 16), testing::build_icmp_echo(Family::kIpv6, 16),
                             testing::build_neighbour_solicitation(testing::our_endpoint(Family::kIpv6).ip)})
    for (std::size_t length = 0; length < frame.size(); ++length)
      ASSERT_EQ(testing::parse(cut_to(frame, length)).lower.frame_class, FrameClass::kDrop) << length;
}

}  // namespace
}  // namespace mcplane::wire
