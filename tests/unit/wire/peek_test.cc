// peek_destination_port sees the port of every frame that parse_frame takes for UDP, and reads nothing behind its end.
#include <gtest/gtest.h>

#include "support/frame_builder.h"
#include "wire/layout.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

std::vector<Bytes> every_frame() {
  std::vector<Bytes> frames;
  for (const FrameType type : testing::all_types())
    for (const Family family : {Family::kIpv4, Family::kIpv6})
      for (const std::uint16_t vlan : {kNoVlan, std::uint16_t{7}})
        frames.push_back(build_frame(testing::sample_spec(type, family, vlan)));
  return frames;
}

// Copied to its exact size, so that a sanitizer sees a read behind the end.
std::uint16_t peek(const Bytes& frame, std::size_t length) {
  const Bytes exact(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
  return peek_destination_port(exact);
}

TEST(PeekDestinationPort, AgreesWithTheParserOnEveryFrame) {
  for (const Bytes& frame : every_frame()) EXPECT_EQ(peek_destination_port(frame), testing::kOurPort);
}

TEST(PeekDestinationPort, AgreesWithTheParserOnEveryCutAndEditedFrame) {
  for (const Bytes& frame : every_frame()) {
    for (std::size_t length = 0; length < std::min<std::size_t>(frame.size(), 120); ++length) {
      const Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
      const testing::Parsed parsed = testing::parse(cut);
      const std::uint16_t port = peek(frame, length);
      EXPECT_TRUE(port == testing::kOurPort || (port == 0 && parsed.lower.frame_class != FrameClass::kUdp)) << length;
    }
    for (std::size_t at = 0; at < kLowerBytesMax; ++at) {
      Bytes edited = frame;
      edited[at] ^= std::byte{0x11};
      testing::refresh_checksums(edited);
      const testing::Parsed parsed = testing::parse(edited);
      if (parsed.lower.frame_class != FrameClass::kUdp) continue;
      EXPECT_EQ(peek_destination_port(edited), parsed.lower.destination_port) << "byte " << at;
    }
  }
}

TEST(PeekDestinationPort, IsNoneWithoutAUdpHeader) {
  EXPECT_EQ(peek_destination_port(testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip)), 0);
  for (const Family family : {Family::kIpv4, Family::kIpv6})
    EXPECT_EQ(peek_destination_port(testing::build_icmp_echo(family, 64)), 0);
  Bytes fragment = build_frame(testing::sample_spec(FrameType::Ping));
  store_be16(&fragment[kEthernetBytes + 6], 100);  // not the first: no ports in it
  EXPECT_EQ(peek_destination_port(fragment), 0);
  Bytes with_options = build_frame(testing::sample_spec(FrameType::Ping));
  with_options[kEthernetBytes] = std::byte{0x46};
  EXPECT_EQ(peek_destination_port(with_options), 0);
}

}  // namespace
}  // namespace mcplane::wire
