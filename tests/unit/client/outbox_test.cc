// Where engines write their datagrams: the outbox's own storage, and places that a shell lends.
#include "client/outbox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "unit/client/client_fixture.h"
#include "unit/client/worker_fixture.h"
#include "wire/checksum.h"

namespace mcplane::client {
namespace {

constexpr std::size_t kPlaceBytes = 1'536;

struct alignas(4) Place {
  std::array<std::byte, kPlaceBytes> bytes{};
  std::span<std::byte> room() { return std::span(bytes).subspan(2); }
};

TEST(Outbox, LentPlacesGoFirstInTheirOrderAndOnce) {
  Outbox outbox;
  std::vector<Place> places(3);
  outbox.lend(places[0].room());
  outbox.lend(places[1].room());
  EXPECT_EQ(outbox.reserve().data(), places[0].room().data());
  EXPECT_EQ(outbox.reserve().size(), places[0].room().size());
  outbox.commit(100, kBroker, 7);
  outbox.commit(101, kBroker);
  EXPECT_EQ(outbox.lent(), 0U);
  outbox.commit(102, kBroker);
  const auto entries = outbox.entries();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].datagram.data(), places[0].room().data());
  EXPECT_EQ(entries[0].datagram.size(), 100U);
  EXPECT_EQ(entries[0].sum, 7U);
  EXPECT_EQ(entries[1].datagram.data(), places[1].room().data());
  EXPECT_EQ(entries[1].sum, 0U);
  EXPECT_EQ(entries[2].datagram.size(), 102U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(entries[2].datagram.data()) % 4, 2U);
  outbox.clear();
  outbox.lend(places[2].room());
  EXPECT_EQ(outbox.reserve().data(), places[2].room().data());
}

TEST(Outbox, PlacesGoRound) {
  constexpr std::size_t kSent = 20;
  Outbox outbox;
  std::vector<Place> places(Outbox::kPlaces);
  for (Place& place : places) outbox.lend(place.room());
  for (std::size_t first = 0; first < 5 * kSent; first += kSent) {
    for (std::size_t i = first; i < first + kSent; ++i) {
      EXPECT_EQ(outbox.reserve().data(), places[i % places.size()].room().data()) << i;
      outbox.commit(wire::kLeadBytes, kBroker);
    }
    outbox.clear();
    EXPECT_EQ(outbox.lent(), places.size() - kSent);
    for (std::size_t i = first; i < first + kSent; ++i) outbox.lend(places[i % places.size()].room());
  }
}

// What goes out, what is kept, and the sum of it are the same wherever the payload was made.
class PayloadsInPlace : public ClientEngineTest {};

TEST_F(PayloadsInPlace, SendIsAsOneThatWasCopied) {
  Place place;
  out_.lend(place.room());
  SendRequest task = request(1);
  const auto there = engine_.payload_place(table_.size(), out_);
  ASSERT_GE(there.size(), payload_.size());
  std::ranges::copy(payload_, there.begin());
  task.payload = there.first(payload_.size());
  ASSERT_EQ(engine_.send(task, now_, out_), SendStatus::kSent);
  EXPECT_EQ(out_.entries()[0].sum, wire::sum_bytes(out_.entries()[0].datagram));
  const Frame sent = take_one(out_, FrameType::Send).frame;
  EXPECT_TRUE(std::ranges::equal(wire::payload_of(sent.bytes()), payload_));
  EXPECT_TRUE(std::ranges::equal(wire::table_of(sent.bytes()), table_));
  place.bytes.fill(std::byte{0xee});  // the shell's again
  const auto again = pass_until(now_ + 60 * kMs);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_TRUE(std::ranges::equal(wire::payload_of(again[0].frame.bytes()), payload_));
}

TEST_F(PayloadsInPlace, ThereIsNoneInAFullOutboxAndNoneBehindATableThatFillsAFrame) {
  EXPECT_TRUE(engine_.payload_place(engine_.session().datagram_bytes_max(), out_).empty());
  while (!out_.full()) out_.commit(wire::kLeadBytes, kBroker);
  EXPECT_TRUE(engine_.payload_place(table_.size(), out_).empty());
  out_.clear();
}

class AnswersInPlace : public WorkerEngineTest {};

TEST_F(AnswersInPlace, ResultIsAsOneThatWasCopied) {
  const Attempt attempt{};
  receive(route(attempt));
  Place place;
  out_.lend(place.room());
  const auto there = engine_.answer_place(out_);
  ASSERT_GE(there.size(), answer_.size());
  std::ranges::copy(answer_, there.begin());
  ASSERT_TRUE(engine_.finish(attempt.token, attempt.number, there.first(answer_.size()), false, now_, out_));
  EXPECT_EQ(out_.entries()[0].sum, wire::sum_bytes(out_.entries()[0].datagram));
  const auto sent = take_one(out_, FrameType::Result);
  EXPECT_TRUE(std::ranges::equal(wire::payload_of(sent.frame.bytes()), answer_));
  place.bytes.fill(std::byte{0xee});  // the shell's again
  receive(route(attempt));            // a repeated ROUTE: the RESULT was lost
  const auto again = take_one(out_, FrameType::Result);
  EXPECT_TRUE(std::ranges::equal(wire::payload_of(again.frame.bytes()), answer_));
  EXPECT_EQ(again.header().sequence(), sent.header().sequence());
}

TEST_F(AnswersInPlace, WithAFullOutboxTheAnswerIsKept) {
  const Attempt attempt{};
  receive(route(attempt));
  while (!out_.full()) out_.commit(wire::kLeadBytes, kBroker);
  EXPECT_TRUE(engine_.answer_place(out_).empty());
  ASSERT_TRUE(finish(attempt));
  out_.clear();
  run_timers();
  std::size_t results = 0;
  for (const Sent& sent : take_sent(out_)) {
    if (sent.header().type() != FrameType::Result) continue;
    ++results;
    EXPECT_TRUE(std::ranges::equal(wire::payload_of(sent.frame.bytes()), answer_));
  }
  EXPECT_EQ(results, 1U);
}

}  // namespace
}  // namespace mcplane::client
