// PartSender and PartReceiver, one rule of schemas/README.md, "Messages in parts", at a time.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/types.h"
#include "client/part_receiver.h"
#include "client/part_sender.h"

namespace mcplane::client {
namespace {

constexpr std::uint64_t kMs = kNsPerMs, kNow = 1'000 * kMs, kPto = 10 * kMs, kDelay = kMs;
using Parts = std::vector<std::uint32_t>;

class PartSenderTest : public testing::Test {
 protected:
  Parts take_all() {
    Parts parts;
    for (std::uint32_t part; (part = sender_.take_next(now_)) != PartSender::kNone;) parts.push_back(part);
    return parts;
  }
  static Parts from_to(std::uint32_t first, std::uint32_t end) {
    Parts parts;
    for (; first < end; ++first) parts.push_back(first);
    return parts;
  }
  // here: parts beyond `next` that have come.
  bool grant(std::uint16_t next, std::uint16_t limit, const Parts& here = {}) {
    std::array<std::byte, 8> bitmap{};
    for (const std::uint32_t part : here) {
      const std::uint32_t bit = part - next - 1;
      bitmap[bit / 8] |= std::byte{1} << bit % 8;
    }
    return sender_.on_grant(next, limit, bitmap, now_, pto_ns_);
  }

  std::uint64_t now_ = kNow, pto_ns_ = kPto;
  PartSender sender_{1};
};

TEST_F(PartSenderTest, OnlyTheUnscheduledGoWithoutAGrant) {
  sender_.add(100);
  EXPECT_EQ(take_all(), Parts{0});
  EXPECT_TRUE(grant(1, 65));
  EXPECT_EQ(take_all(), from_to(1, 65));
  EXPECT_TRUE(grant(65, 129));
  EXPECT_EQ(take_all(), from_to(65, 100));
  EXPECT_FALSE(sender_.all_acknowledged());
  EXPECT_TRUE(grant(100, 100));
  EXPECT_TRUE(sender_.all_acknowledged());
  EXPECT_EQ(sender_.due_ns(kPto), PartSender::kNever);
}

TEST_F(PartSenderTest, LostIsWhatThreeOthersHaveOvertaken) {
  pto_ns_ = 60'000 * kMs;
  sender_.add(20);
  take_all();
  now_ += kMs;
  grant(1, 65);
  take_all();
  grant(2, 66, {4, 5});
  EXPECT_EQ(take_all(), Parts{});  // a round trip has not passed
  now_ += 1'000 * kMs;
  grant(2, 66, {4, 5});
  EXPECT_TRUE(sender_.has_lost());
  EXPECT_EQ(take_all(), Parts{2});  // 3 may only be late
  grant(2, 66, {4, 5});
  EXPECT_EQ(take_all(), Parts{});  // it was sent again just now
  now_ += 1'000 * kMs;
  grant(2, 66, {4, 5});
  EXPECT_EQ(take_all(), Parts{2});
}

TEST_F(PartSenderTest, LostIsWhatAnyOtherHasOvertakenForLong) {
  sender_.add(5);
  take_all();
  grant(1, 65);
  take_all();
  grant(3, 67, {4});
  EXPECT_EQ(take_all(), Parts{});
  now_ += kPto;
  grant(3, 67, {4});
  EXPECT_EQ(take_all(), Parts{3});
}

TEST_F(PartSenderTest, ProbesWithItsLastPartAndDoubles) {
  sender_.add(3);
  take_all();
  EXPECT_EQ(sender_.due_ns(kPto), now_ + kPto);
  now_ += kPto;
  EXPECT_EQ(sender_.take_probe(now_), 0U);
  EXPECT_EQ(sender_.due_ns(kPto), now_ + 2 * kPto);
  now_ += 2 * kPto;
  sender_.take_probe(now_);
  EXPECT_EQ(sender_.due_ns(kPto), now_ + 4 * kPto);
  grant(1, 65);
  EXPECT_EQ(sender_.due_ns(kPto), now_ + kPto);
}

TEST_F(PartSenderTest, GrantThatSaysNothingNewDoesNotPutOffTheProbe) {
  sender_.add(10);
  take_all();
  grant(1, 65);
  take_all();
  grant(3, 67, {5});
  const std::uint64_t due_ns = sender_.due_ns(kPto);
  now_ += kMs;
  EXPECT_TRUE(grant(3, 67, {5}));
  EXPECT_EQ(sender_.due_ns(kPto), due_ns);
  grant(3, 67, {5, 6});
  EXPECT_GT(sender_.due_ns(kPto), due_ns);
}

TEST_F(PartSenderTest, AsksEverMoreRarelyWhileItsTaskWaitsForAWorker) {
  sender_.add(3);
  take_all();
  const std::uint64_t began_ns = now_;
  std::uint32_t probes = 0;
  for (; now_ < began_ns + 1'000 * kPto; ++probes) {
    now_ = sender_.due_ns(kPto);
    sender_.take_probe(now_);
  }
  EXPECT_LT(probes, 60U) << "250, were it each fourth PTO";
  EXPECT_LE(sender_.due_ns(kPto) - now_, (now_ - began_ns) / 8 + 1);
  grant(1, 65);
  EXPECT_EQ(take_all(), (Parts{1, 2}));
  EXPECT_LE(sender_.due_ns(kPto), now_ + 2 * kPto);
}

TEST_F(PartSenderTest, GrantsThatAreOldOrNonsenseChangeNothing) {
  sender_.add(200);
  take_all();
  grant(1, 65);
  take_all();
  EXPECT_TRUE(grant(40, 104));
  take_all();
  EXPECT_FALSE(grant(20, 84));
  EXPECT_FALSE(grant(105, 169));   // not sent yet
  EXPECT_FALSE(grant(50, 49));     // a limit behind itself
  EXPECT_FALSE(grant(50, 1'075));  // and one too far
  EXPECT_EQ(sender_.acknowledged(), 40U);
  EXPECT_TRUE(grant(50, 60));  // a limit never goes back
  EXPECT_TRUE(grant(60, 104));
  EXPECT_EQ(take_all(), Parts{});
}

TEST_F(PartSenderTest, AnotherReceiverHasPart0AndNothingElse) {
  sender_.add(10);
  take_all();
  grant(1, 65);
  take_all();
  grant(8, 72);
  sender_.begin_again();
  EXPECT_EQ(take_all(), Parts{});
  EXPECT_TRUE(grant(1, 65));
  EXPECT_EQ(take_all(), from_to(1, 10));
}

TEST_F(PartSenderTest, StreamSendsWhatIsMadeAndIsQuietMeanwhile) {
  sender_ = PartSender(16);
  sender_.add(1);
  EXPECT_EQ(take_all(), Parts{0});
  grant(1, 65);
  EXPECT_EQ(sender_.due_ns(kPto), PartSender::kNever);
  sender_.add(2);
  EXPECT_TRUE(sender_.has_next());
  EXPECT_EQ(take_all(), (Parts{1, 2}));
}

class PartReceiverTest : public testing::Test {
 protected:
  PartReceiver::Arrival come(std::uint32_t number) {
    return receiver_.on_part(static_cast<std::uint16_t>(number), now_).arrival;
  }
  // What the GRANT says: next, limit, then the parts beyond that have come.
  Parts grant() {
    alignas(4) std::array<std::byte, 2 + PartReceiver::kGrantBytesMax> storage{};
    const auto datagram = std::span(storage).subspan(2);
    wire::Header& header = wire::begin_datagram(datagram, wire::FrameType::Grant);
    const auto bitmap = datagram.first(receiver_.write_grant(datagram)).subspan(wire::kLeadBytes);
    EXPECT_EQ(header.message_length(), bitmap.size());
    Parts said = {wire::grant_next(header), wire::grant_limit(header)};
    for (std::uint32_t bit = 0; bit < bitmap.size() * 8; ++bit)
      if ((bitmap[bit / 8] >> bit % 8 & std::byte{1}) != std::byte{}) said.push_back(said[0] + 1 + bit);
    return said;
  }
  bool due() const { return receiver_.due_ns(kDelay) <= now_; }

  std::uint64_t now_ = kNow;
  PartReceiver receiver_{1};
};

TEST_F(PartReceiverTest, UnopenedGrantsNoMore) {
  EXPECT_EQ(come(0), PartReceiver::Arrival::kNew);
  EXPECT_EQ(come(1), PartReceiver::Arrival::kBeyond);
  EXPECT_EQ(grant(), (Parts{1, 1}));
  receiver_.open();
  EXPECT_EQ(grant(), (Parts{1, 65}));
  EXPECT_EQ(come(64), PartReceiver::Arrival::kNew);
  EXPECT_EQ(come(65), PartReceiver::Arrival::kBeyond);
}

TEST_F(PartReceiverTest, GrantIsDueAtAQuarterOfTheWindowOrInTime) {
  receiver_.open();
  come(0);
  EXPECT_FALSE(due());
  EXPECT_EQ(receiver_.due_ns(kDelay), now_ + kDelay);
  grant();
  EXPECT_EQ(receiver_.due_ns(kDelay), PartReceiver::kNever);
  for (std::uint32_t part = 1; part < 16; ++part) come(part);
  EXPECT_FALSE(due());
  come(16);
  EXPECT_TRUE(due());
  EXPECT_EQ(grant(), (Parts{17, 81}));
}

TEST_F(PartReceiverTest, SmallWindowIsToldOfAtItsHalf) {
  receiver_.open(8);
  come(0);
  EXPECT_EQ(grant(), (Parts{1, 9}));
  for (std::uint32_t part = 1; part < 4; ++part) come(part);
  EXPECT_FALSE(due());
  come(4);
  EXPECT_TRUE(due());
  EXPECT_EQ(grant(), (Parts{5, 13}));
  receiver_.open(4);
  EXPECT_EQ(grant(), (Parts{5, 13})) << "a limit never goes back";
}

TEST_F(PartReceiverTest, GapAndRepeatAreToldAtOnce) {
  receiver_.open();
  come(0);
  grant();
  come(2);
  EXPECT_TRUE(due());
  EXPECT_EQ(grant(), (Parts{1, 65, 2}));
  come(3);
  EXPECT_FALSE(due());  // the gap is known
  come(40);
  EXPECT_TRUE(due());
  EXPECT_EQ(grant(), (Parts{1, 65, 2, 3, 40}));
  EXPECT_EQ(come(3), PartReceiver::Arrival::kAgain);
  EXPECT_TRUE(due());
  grant();
  EXPECT_EQ(come(0), PartReceiver::Arrival::kAgain);
  EXPECT_TRUE(due());
  come(1);
  EXPECT_EQ(receiver_.next(), 4U);
}

}  // namespace
}  // namespace mcplane::client
