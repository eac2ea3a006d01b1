// recognise() against parse_frame(): whatever it takes, the parser takes too, and finds the same in it.
#include "wire/known_sender.h"

#include <gtest/gtest.h>

#include <tuple>

#include "base/random.h"
#include "support/frame_builder.h"
#include "wire/checksum.h"
#include "wire/wide_sum.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;
using testing::Family;

class KnownSenderTest : public ::testing::TestWithParam<std::tuple<Family, std::uint16_t>> {
 protected:
  Family family() const { return std::get<0>(GetParam()); }
  std::uint16_t vlan() const { return std::get<1>(GetParam()); }
  testing::FrameSpec send() const { return testing::sample_spec(FrameType::Send, family(), vlan()); }

  bool take(std::span<const std::byte> frame, bool checksum_good = false) {
    got_ = {};
    return peek_lead(frame) == towards_.length && recognise(towards_, frame, checksum_good, got_);
  }
  // The parser's view of a frame that was taken.
  void expect_agreement(std::span<const std::byte> frame, bool checksum_good = false) {
    const Datagram want = parse_frame(frame, testing::our_addresses(), checksum_good);
    ASSERT_EQ(name_of(want.reason), "none");
    ASSERT_EQ(want.frame_class, FrameClass::kUdp);
    ASSERT_EQ(want.source, testing::peer_endpoint(family()));
    ASSERT_EQ(want.destination, testing::our_endpoint(family()).ip);
    ASSERT_EQ(got_.payload_offset, want.payload_offset);
    ASSERT_EQ(got_.payload_length, want.payload_length);
    ASSERT_EQ(want.vlan, vlan());
    ASSERT_EQ(want.destination_port, testing::our_endpoint(family()).port);
    ASSERT_EQ(got_.tail_sum % 0xffff, want.tail_sum % 0xffff);
  }

 private:
  LowerHeaders towards_ = make_lower_headers(testing::kOurMac, testing::kPeerMac, vlan(),
                                             testing::our_endpoint(family()), testing::peer_endpoint(family()));
  Datagram got_;
};

TEST_P(KnownSenderTest, TakesEveryLengthAsTheParserDoes) {
  Random random(7);
  testing::FrameSpec spec = send();
  for (std::size_t length = 0; length <= 300; ++length)
    for (const bool checksum_good : {false, true}) {
      spec.payload.resize(length);
      for (auto& byte : spec.payload) byte = static_cast<std::byte>(random.next());
      Bytes frame = testing::build_frame(spec);
      ASSERT_TRUE(take(frame, checksum_good)) << length;
      ASSERT_NO_FATAL_FAILURE(expect_agreement(frame, checksum_good)) << length;
      frame.resize(frame.size() + 9, std::byte{0xee});  // Ethernet padding
      ASSERT_TRUE(take(frame, checksum_good)) << length;
      ASSERT_NO_FATAL_FAILURE(expect_agreement(frame, checksum_good)) << length;
    }
}

TEST_P(KnownSenderTest, TakesNoEditThatTheParserRefusesOrSeesAnotherSenderIn) {
  const Bytes sound = testing::build_frame(send());
  std::size_t taken = 0;
  for (std::size_t at = 0; at < sound.size(); ++at)
    for (int flip = 1; flip < 256; ++flip)
      for (const bool refresh : {false, true}) {
        Bytes frame = sound;
        frame[at] ^= static_cast<std::byte>(flip);
        if (refresh) testing::refresh_checksums(frame);
        for (const bool checksum_good : {false, true}) {
          if (!take(frame, checksum_good)) continue;
          ++taken;
          ASSERT_NO_FATAL_FAILURE(expect_agreement(frame, checksum_good)) << "byte " << at << " flipped by " << flip;
        }
      }
  EXPECT_GT(taken, 255U * kLeadBytes);  // the MCP header is not its business
}

TEST_P(KnownSenderTest, TakesNoTruncation) {
  const Bytes sound = testing::build_frame(send());
  for (std::size_t kept = 0; kept < sound.size(); ++kept) EXPECT_FALSE(take(std::span(sound).first(kept))) << kept;
}

TEST_P(KnownSenderTest, LeavesZeroChecksumsAndStrangersToTheParser) {
  testing::FrameSpec spec = send();
  Bytes frame = testing::build_frame(spec);
  const std::size_t udp = parse_frame(frame, testing::our_addresses(), false).udp_offset;
  frame[udp + 6] = frame[udp + 7] = std::byte{0};
  EXPECT_FALSE(take(frame));
  spec.source.port ^= 1;
  EXPECT_FALSE(take(testing::build_frame(spec)));
  EXPECT_TRUE(take(testing::build_frame(send())));
}

INSTANTIATE_TEST_SUITE_P(Families, KnownSenderTest,
                         ::testing::Combine(::testing::Values(Family::kIpv4, Family::kIpv6),
                                            ::testing::Values(kNoVlan, std::uint16_t{0}, std::uint16_t{4094})));

TEST(WideSum, IsTheSumOfBytes) {
  Random random(8);
  for (std::size_t length = 0; length < 400; ++length)
    for (const int fill : {0, 1, 2}) {
      Bytes datagram(2 + kLeadBytes + length);  // as in a frame, not aligned
      for (auto& byte : datagram)
        byte = fill == 0 ? static_cast<std::byte>(random.next()) : fill == 1 ? std::byte{0xff} : std::byte{0};
      const auto lead = std::span(datagram).subspan(2);
      ASSERT_EQ(fold(sum_lead(lead.data())), sum_bytes(lead.first(kLeadBytes)));
      const auto [head, tail] = sum_datagram(lead.data(), length);
      ASSERT_EQ(head, sum_lead(lead.data()));
      ASSERT_EQ(fold(tail), sum_bytes(lead.subspan(kLeadBytes))) << length;
    }
}

TEST(WideSum, KnowsASumOfOnesWithoutFoldingIt) {
  Random random(9);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t any = random.next() | 1;
    for (const std::uint64_t sum : {any, any - any % 0xffff, any >> (i % 64), std::uint64_t{0xffff} << (i % 48)}) {
      if (sum == 0) continue;
      ASSERT_EQ(is_all_ones(sum), fold(sum) == 0xffff) << sum;
      const auto low = static_cast<std::uint32_t>(sum);
      if (low != 0) {
        ASSERT_EQ(is_all_ones(low), fold(low) == 0xffff) << low;
      }
    }
  }
}

}  // namespace
}  // namespace mcplane::wire
