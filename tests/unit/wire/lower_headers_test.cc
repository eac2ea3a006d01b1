// Frames made by make_ and write_lower_headers, read back by parse_frame and by the naive sums of support.
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "base/random.h"
#include "support/frame_builder.h"
#include "wire/checksum.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

class LowerHeadersTest : public ::testing::TestWithParam<std::tuple<Family, std::uint16_t>> {
 protected:
  Family family() const { return std::get<0>(GetParam()); }
  std::uint16_t vlan() const { return std::get<1>(GetParam()); }
  LowerHeaders to_us() const {
    return make_lower_headers(testing::kPeerMac, testing::kOurMac, vlan(), testing::peer_endpoint(family()),
                              testing::our_endpoint(family()));
  }
};

Bytes random_bytes(Random& random, std::size_t length) {
  Bytes bytes(length);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

TEST_P(LowerHeadersTest, ParseToWhatTheyWereMadeOf) {
  Random random(3);
  const LowerHeaders headers = to_us();
  for (std::size_t length : {0U, 1U, 2U, 3U, 97U, 98U, 99U, 100U, 255U, 1000U, 1399U}) {
    const Bytes payload = random_bytes(random, length);
    // Dirty, so that a byte the headers forget shows.
    Bytes frame(headers.length + length, std::byte{0xee});
    std::ranges::copy(payload, frame.begin() + headers.length);
    write_lower_headers(headers, frame.data(), static_cast<std::uint16_t>(length), sum_bytes(payload));
    const Datagram parsed = parse_frame(frame, testing::our_addresses(), false);
    ASSERT_EQ(name_of(parsed.reason), "none") << length;
    EXPECT_EQ(parsed.frame_class, FrameClass::kUdp);
    EXPECT_EQ(parsed.source, testing::peer_endpoint(family()));
    EXPECT_EQ(parsed.destination, testing::our_endpoint(family()).ip);
    EXPECT_EQ(parsed.destination_port, testing::kOurPort);
    EXPECT_EQ(parsed.vlan, vlan());
    EXPECT_EQ(parsed.udp_offset, headers.udp_offset());
    EXPECT_EQ(parsed.l3_offset, headers.udp_offset() - (headers.ipv6 ? kIpv6Bytes : kIpv4Bytes));
    EXPECT_EQ(parsed.payload_offset, headers.length);
    EXPECT_EQ(parsed.payload_offset % 4, 2);
    EXPECT_EQ(parsed.payload_length, length);
    // The test's own naive checksums find nothing to change.
    Bytes again = frame;
    testing::refresh_checksums(again);
    EXPECT_EQ(again, frame) << length;
  }
}

TEST_P(LowerHeadersTest, WriteNothingBehindThemselves) {
  const LowerHeaders headers = to_us();
  Bytes frame(headers.length + 16U, std::byte{0xaa});
  write_lower_headers(headers, frame.data(), 16, sum_bytes(std::span(frame).subspan(headers.length)));
  EXPECT_TRUE(std::all_of(frame.begin() + headers.length, frame.end(), [](auto b) { return b == std::byte{0xaa}; }));
}

TEST_P(LowerHeadersTest, UdpChecksumIsNeverZero) {
  // The last word makes the sum 0xffff, whose complement is 0.
  const LowerHeaders headers = to_us();
  Bytes frame(headers.length + 4U);
  const auto payload = std::span(frame).subspan(headers.length);
  write_lower_headers(headers, frame.data(), 4, 0);
  std::uint16_t word = 0;
  std::memcpy(&word, frame.data() + headers.udp_offset() + 6, 2);
  std::memcpy(payload.data(), &word, 2);
  write_lower_headers(headers, frame.data(), 4, sum_bytes(payload));
  EXPECT_EQ(frame[headers.udp_offset() + 6U], std::byte{0xff});
  EXPECT_EQ(frame[headers.udp_offset() + 7U], std::byte{0xff});
  EXPECT_EQ(testing::parse(frame).lower.reason, DropReason::kNone);
}

// Egress replaces the lead and never reads the tail: with tail_sum from either way the new frame must be sound.
TEST_P(LowerHeadersTest, TailSumServesANewChecksum) {
  Random random(4);
  testing::FrameSpec spec = testing::sample_spec(FrameType::Ping, family(), vlan());
  for (std::size_t length = 0; length < 260; ++length) {
    Bytes payload = random_bytes(random, length);
    if (length % 3 == 0) std::ranges::fill(payload, length % 2 == 0 ? std::byte{0} : std::byte{0xff});
    Bytes frame = testing::build_udp_frame(spec, payload);
    const Datagram full = parse_frame(frame, testing::our_addresses(), false);
    const Datagram trusted = parse_frame(frame, testing::our_addresses(), true);
    ASSERT_EQ(name_of(full.reason), "none");
    ASSERT_EQ(name_of(trusted.reason), "none");
    if (length <= kLeadBytes) {
      EXPECT_EQ(full.tail_sum, 0);
      EXPECT_EQ(trusted.tail_sum, 0);
    } else {
      EXPECT_EQ(full.tail_sum, sum_bytes(std::span(payload).subspan(kLeadBytes)));
      EXPECT_EQ(trusted.tail_sum % 0xffff, full.tail_sum % 0xffff);
    }
    const LowerHeaders headers = to_us();
    const auto lead = std::span(frame).subspan(headers.length).first(std::min(length, kLeadBytes));
    std::ranges::generate(lead, [&random] { return static_cast<std::byte>(random.next()); });
    for (const std::uint16_t tail_sum : {full.tail_sum, trusted.tail_sum}) {
      write_lower_headers(headers, frame.data(), static_cast<std::uint16_t>(length),
                          sum_add(sum_bytes(lead), tail_sum));
      ASSERT_EQ(name_of(testing::parse(frame).lower.reason), "none") << length;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, LowerHeadersTest,
                         ::testing::Combine(::testing::Values(Family::kIpv4, Family::kIpv6),
                                            ::testing::Values(kNoVlan, std::uint16_t{0}, std::uint16_t{4094})));

}  // namespace
}  // namespace mcplane::wire
