// The books of a run of events: what counts as delivered, lost, repeated, late or wrong.
#include "loadgen/event_ledger.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/types.h"

namespace mcplane::loadgen {
namespace {

constexpr std::uint64_t kStart = 10 * kNsPerSecond;

class EventLedgerTest : public testing::Test {
 protected:
  EventLedgerTest() { ledger_.start(kStart, kStart + kNsPerSecond); }
  std::vector<std::byte> publish(std::uint64_t due_ns = kStart) {
    const auto payload = ledger_.payload();
    const std::vector<std::byte> copy(payload.begin(), payload.end());
    ledger_.begin(due_ns);
    return copy;
  }
  void take(std::uint32_t subscriber, std::uint32_t topic, const std::vector<std::byte>& payload,
            std::uint64_t now_ns = kStart + 1'000) {
    ledger_.take(subscriber, ledger_.topic_name(topic), payload, now_ns);
  }
  const EventTally& tally() { return ledger_.tally(); }

  // Subscribers 0, 2 and 4 have topic 0, 1 and 3 topic 1.
  EventLedger ledger_{{.subscribers = 5, .topics = 2, .payload_bytes = 64, .seed = 7, .open_max = 4}};
};

TEST_F(EventLedgerTest, AnEventIsDoneOnceAllOfItsTopicHaveIt) {
  const auto first = publish(), second = publish();
  for (const std::uint32_t subscriber : {0U, 2U, 4U}) take(subscriber, 0, first);
  EXPECT_EQ(ledger_.open(), 1U);
  for (const std::uint32_t subscriber : {1U, 3U}) take(subscriber, 1, second);
  EXPECT_EQ(ledger_.open(), 0U);
  EXPECT_EQ(tally().published, 2U);
  EXPECT_EQ(tally().delivered, 5U);
  EXPECT_EQ(tally().measured, 5U);
  EXPECT_EQ(tally().latency.count(), 5U);
  EXPECT_GE(tally().latency.percentile(50), 1'000U);
  EXPECT_EQ(tally().mismatched + tally().duplicates + tally().late + tally().lost, 0U);
}

TEST_F(EventLedgerTest, RepeatsAreCountedWheneverTheyCome) {
  const auto payload = publish();
  take(0, 0, payload);
  take(0, 0, payload);
  EXPECT_EQ(tally().duplicates, 1U);
  take(2, 0, payload);
  take(4, 0, payload);
  EXPECT_EQ(ledger_.open(), 0U);
  take(4, 0, payload);
  EXPECT_EQ(tally().duplicates, 2U);
  EXPECT_EQ(tally().delivered, 3U);
}

TEST_F(EventLedgerTest, WhatIsNotThereInASecondIsLost) {
  const auto payload = publish(kStart + 5);
  take(0, 0, payload);
  ledger_.give_up_overdue(kStart + 4 + EventLedger::kLostNs);
  EXPECT_EQ(tally().lost, 0U);
  ledger_.give_up_overdue(kStart + 5 + EventLedger::kLostNs);
  EXPECT_EQ(tally().lost, 2U);
  EXPECT_EQ(ledger_.open(), 0U);
  take(2, 0, payload);
  EXPECT_EQ(tally().late, 1U);
  EXPECT_EQ(tally().delivered, 1U);
  take(0, 0, payload);
  EXPECT_EQ(tally().duplicates, 1U) << "it had that one";
}

TEST_F(EventLedgerTest, LossOfOneDoesNotHoldUpTheCountOfOthers) {
  publish();
  for (int i = 0; i < 3; ++i) publish();
  EXPECT_FALSE(ledger_.has_room());
  ledger_.give_up_all();
  EXPECT_TRUE(ledger_.has_room());
  EXPECT_EQ(tally().lost, 10U);
}

TEST_F(EventLedgerTest, AnythingElseIsAMismatch) {
  const auto payload = publish();
  auto damaged = payload;
  damaged[40] ^= std::byte{1};
  auto of_none = payload;
  of_none[15] = std::byte{'9'};  // a number not published yet
  auto cut = payload;
  cut.pop_back();
  take(0, 0, damaged);
  take(0, 0, of_none);
  take(0, 0, cut);
  take(0, 0, {});
  take(0, 1, payload);  // on another topic
  take(1, 0, payload);  // to one who has another topic
  EXPECT_EQ(tally().mismatched, 6U);
  EXPECT_EQ(tally().delivered, 0U);
  take(0, 0, payload);
  EXPECT_EQ(tally().delivered, 1U);
}

TEST_F(EventLedgerTest, OnlyTheMeasuredPartIsMeasured) {
  const auto before = publish(kStart - 1), within = publish(kStart);
  take(0, 0, before, kStart - 1);
  take(2, 0, before, kStart);
  take(1, 1, within, kStart + kNsPerSecond);
  EXPECT_EQ(tally().delivered, 3U);
  EXPECT_EQ(tally().measured, 1U);
  EXPECT_EQ(tally().latency.count(), 1U);
}

}  // namespace
}  // namespace mcplane::loadgen
