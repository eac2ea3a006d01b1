// Publish and subscribe of a client engine, against frames written by hand: subscriptions that are lost, refused or of
// a session that is gone, and events that are lost, late, repeated or nobody's.
#include "client/event_engine.h"

#include <gtest/gtest.h>

#include <string>

#include "unit/client/client_fixture.h"
#include "wire/topic.h"

namespace mcplane::client {
namespace {

constexpr std::uint16_t kShard = 1;

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

class EventEngineTest : public ClientEngineTest {
 protected:
  std::uint32_t subscribe(std::string_view pattern) {
    return engine_.subscribe(wire::write_subscription(pattern, ""), now_, out_);
  }
  // As far as the broker's acknowledgement.
  std::uint32_t subscribed(std::string_view pattern) {
    const std::uint32_t number = subscribe(pattern);
    receive(test::acknowledge(take_one(out_, FrameType::Subscribe).frame.bytes()));
    EXPECT_EQ(take_news(), wire::Reason::Ok);
    return number;
  }
  Frame event(std::uint32_t subscription, std::uint32_t number, std::string_view topic = "a.b",
              std::string_view payload = "hi") const {
    return test::event(life_, subscription, kShard, number, wire::write_publication(topic), bytes_of(payload));
  }
  // The reason, of the only subscription that the last datagram was about.
  std::optional<wire::Reason> take_news() {
    const auto news = engine_.events()->take_news();
    return news ? std::optional(news->reason) : std::nullopt;
  }
  bool arrives(const Frame& frame) {
    receive(frame);
    return engine_.events()->take_arrival().has_value();
  }
};

TEST_F(EventEngineTest, SubscribeFillsTheHeader) {
  const std::uint32_t number = subscribe("a.*");
  EXPECT_NE(number, 0U);
  const auto sent = take_one(out_, FrameType::Subscribe);
  EXPECT_EQ(sent.to, shard_of(life_));
  EXPECT_EQ(sent.header().boot_id(), life_.boot_id);
  EXPECT_EQ(sent.header().session(), life_.session);
  EXPECT_EQ(sent.header().sequence(), number);
  EXPECT_EQ(wire::read_subscription(wire::table_of(sent.frame.bytes()))->topic, "a.*");
  EXPECT_NE(subscribe("b"), number);
}

TEST_F(EventEngineTest, PublishFillsTheHeaderAndIsSentOnce) {
  const auto table = wire::write_publication("a.b");
  EXPECT_EQ(engine_.publish(table, bytes_of("hi"), now_, out_), PublishStatus::kSent);
  const auto sent = take_one(out_, FrameType::Publish);
  EXPECT_EQ(sent.to, shard_of(life_));
  EXPECT_EQ(sent.header().boot_id(), life_.boot_id);
  EXPECT_EQ(sent.header().session(), life_.session);
  EXPECT_EQ(wire::read_publication(wire::table_of(sent.frame.bytes()))->whole(), "a.b");
  const auto payload = wire::payload_of(sent.frame.bytes());
  EXPECT_EQ(std::vector(payload.begin(), payload.end()), bytes_of("hi"));
  EXPECT_TRUE(pass_until(now_ + 5'000 * kMs).empty());
}

TEST_F(EventEngineTest, PublishKeepsToOneFrame) {
  const auto table = wire::write_publication("a");
  const std::vector<std::byte> most(1500 - 48 - wire::kLeadBytes - table.size());  // as if all peers spoke IPv6
  const std::vector<std::byte> more(most.size() + 1);
  EXPECT_EQ(engine_.publish(table, more, now_, out_), PublishStatus::kTooLarge);
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(engine_.publish(table, most, now_, out_), PublishStatus::kSent);
  EXPECT_EQ(engine_.publish(table, {}, now_, out_), PublishStatus::kSent);
  while (!out_.full()) engine_.publish(table, {}, now_, out_);
  EXPECT_EQ(engine_.publish(table, {}, now_, out_), PublishStatus::kOutboxFull);
  receive(test::unknown_session(life_));
  out_.clear();
  EXPECT_EQ(engine_.publish(table, {}, now_, out_), PublishStatus::kNotRegistered);
}

TEST_F(EventEngineTest, SubscribeIsRepeatedUntilItIsAcknowledged) {
  measure();
  const std::uint32_t number = subscribe("a");
  const auto first = take_one(out_, FrameType::Subscribe);
  const auto repeats = pass_until(now_ + 100 * kMs);
  // After 5, 10, 20 and 40 ms.
  ASSERT_EQ(repeats.size(), 4U);
  for (const auto& repeat : repeats) {
    EXPECT_EQ(repeat.header().type(), FrameType::Subscribe);
    EXPECT_EQ(repeat.header().sequence(), number);
  }
  receive(test::acknowledge(first.frame.bytes()));
  EXPECT_EQ(take_news(), wire::Reason::Ok);
  EXPECT_TRUE(pass_until(now_ + 5'000 * kMs).empty());
  receive(test::acknowledge(first.frame.bytes()));
  EXPECT_EQ(take_news(), std::nullopt);
}

TEST_F(EventEngineTest, AcknowledgementOfAnotherSessionOrNumberIsNone) {
  const std::uint32_t number = subscribe("a");
  auto ack = test::acknowledge(take_one(out_, FrameType::Subscribe).frame.bytes());
  ack.header().mutate_session(life_.session + 1);
  receive(ack);
  ack.header().mutate_session(life_.session);
  ack.header().mutate_sequence(number + 1);
  receive(ack);
  EXPECT_EQ(take_news(), std::nullopt);
  ack.header().mutate_sequence(number);
  receive(ack);
  EXPECT_EQ(take_news(), wire::Reason::Ok);
}

TEST_F(EventEngineTest, RefusalEndsIt) {
  const std::uint32_t number = subscribe("a");
  receive(test::reject(take_one(out_, FrameType::Subscribe).frame.bytes(), wire::Reason::TableFull,
                       wire::Executed::NotSaid));
  EXPECT_EQ(take_news(), wire::Reason::TableFull);
  EXPECT_TRUE(pass_until(now_ + 5'000 * kMs).empty());
  EXPECT_FALSE(arrives(event(number, 1)));
}

TEST_F(EventEngineTest, UnsubscribeIsRepeatedUntilItIsAcknowledged) {
  measure();
  const std::uint32_t number = subscribed("a");
  engine_.unsubscribe(number, now_, out_);
  const auto first = take_one(out_, FrameType::Unsubscribe);
  EXPECT_EQ(first.header().sequence(), number);
  engine_.unsubscribe(number, now_, out_);
  EXPECT_TRUE(out_.empty());
  EXPECT_FALSE(arrives(event(number, 1))) << "it is not wanted any more";
  EXPECT_EQ(pass_until(now_ + 12 * kMs).size(), 1U);
  receive(test::acknowledge(first.frame.bytes()));
  EXPECT_TRUE(pass_until(now_ + 5'000 * kMs).empty());
  EXPECT_NE(subscribe("b"), number) << "a late frame must not be taken for the next one's";
}

TEST_F(EventEngineTest, EventsComeWithTopicAndPayloadOnce) {
  const std::uint32_t number = subscribed("a.>");
  const auto frame = event(number, 1, "a.b.c", "payload");
  receive(frame);
  const auto arrival = engine_.events()->take_arrival();
  ASSERT_TRUE(arrival);
  EXPECT_EQ(arrival->subscription, number);
  EXPECT_EQ(arrival->topic, "a.b.c");
  EXPECT_EQ(std::vector(arrival->payload.begin(), arrival->payload.end()), bytes_of("payload"));
  EXPECT_FALSE(arrives(frame));
  EXPECT_EQ(engine_.events()->repeated(), 1U);
  EXPECT_EQ(engine_.events()->missed(), 0U);
}

TEST_F(EventEngineTest, GapsAreCountedByShard) {
  const std::uint32_t number = subscribed("a.>");
  for (const std::uint32_t sequence : {1U, 4U}) EXPECT_TRUE(arrives(event(number, sequence)));
  auto other = event(number, 2);
  other.header().mutate_slot(0);
  EXPECT_TRUE(arrives(other));
  EXPECT_EQ(engine_.events()->missed(), 3U);
  EXPECT_TRUE(arrives(event(number, 2))) << "late";
  EXPECT_EQ(engine_.events()->missed(), 2U);
}

TEST_F(EventEngineTest, ForeignAndUnsoundEventsAreDropped) {
  const std::uint32_t number = subscribed("a.>");
  const std::uint64_t dropped = engine_.dropped();
  auto boot = event(number, 1), session = event(number, 1), shard = event(number, 1);
  boot.header().mutate_boot_id(life_.boot_id + 1);
  session.header().mutate_session(life_.session + 1);
  shard.header().mutate_slot(life_.shards);
  auto topic = event(number, 1);
  topic.mutable_bytes()[wire::kLeadBytes] = std::byte{0xff};
  for (const auto* frame : {&boot, &session, &shard, &topic}) EXPECT_FALSE(arrives(*frame));
  EXPECT_EQ(engine_.dropped(), dropped + 4);
  EXPECT_TRUE(arrives(event(number, 1)));
}

TEST_F(EventEngineTest, EventsOfNoSubscriptionEndItAtTheBroker) {
  const std::uint32_t number = subscribed("a.>"), stray = number + (1U << 16);
  receive(event(stray, 1));
  EXPECT_EQ(take_one(out_, FrameType::Unsubscribe).header().sequence(), stray);
  receive(event(stray, 2));
  EXPECT_TRUE(out_.empty()) << "not for each one";
  now_ += engine_.session().pto_ns();
  receive(event(stray, 3));
  take_one(out_, FrameType::Unsubscribe);
  EXPECT_EQ(engine_.events()->missed(), 0U);
}

TEST_F(EventEngineTest, AnotherSessionIsToldAnew) {
  const std::uint32_t kept = subscribed("a.>"), ended = subscribed("b");
  EXPECT_TRUE(arrives(event(kept, 3)));
  engine_.unsubscribe(ended, now_, out_);
  out_.clear();
  register_again({.boot_id = 0xb008, .session = 0x00100009});
  auto sent = pass_until(now_ + kMs);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].header().type(), FrameType::Subscribe);
  EXPECT_EQ(sent[0].header().boot_id(), 0xb008U);
  EXPECT_EQ(sent[0].header().sequence(), kept);
  EXPECT_EQ(wire::read_subscription(wire::table_of(sent[0].frame.bytes()))->topic, "a.>");
  EXPECT_TRUE(arrives(event(kept, 1))) << "numbers start over";
  EXPECT_EQ(engine_.events()->missed(), 2U) << "those of the session before are not forgotten";
}

TEST_F(EventEngineTest, TheSameSessionGoesOn) {
  const std::uint32_t number = subscribed("a.>");
  EXPECT_TRUE(arrives(event(number, 1)));
  register_again(life_);
  EXPECT_TRUE(pass_until(now_ + 100 * kMs).empty());
  EXPECT_TRUE(arrives(event(number, 2)));
  EXPECT_EQ(engine_.events()->missed(), 0U);
}

TEST_F(EventEngineTest, OneThatHeldBeforeIsAskedForUntilThereIsRoom) {
  measure();
  subscribed("a");
  register_again({.boot_id = 0xb008, .session = 0x00100009});
  const auto first = pass_until(now_ + kMs);
  ASSERT_EQ(first.size(), 1U);
  receive(test::reject(first[0].frame.bytes(), wire::Reason::TableFull, wire::Executed::NotSaid));
  EXPECT_EQ(take_news(), std::nullopt);
  const auto again = pass_until(now_ + 5'000 * kMs);
  ASSERT_GE(again.size(), 4U);
  EXPECT_LE(again.size(), 12U) << "ever more rarely, down to once a second";
  receive(test::acknowledge(again.back().frame.bytes()));
  EXPECT_EQ(take_news(), wire::Reason::Ok);
}

TEST_F(EventEngineTest, WhatIsAskedWithoutASessionOrRoomIsSentLater) {
  receive(test::unknown_session(life_));
  const std::uint32_t wanted = subscribe("a"), given_up = subscribe("b");
  engine_.unsubscribe(given_up, now_, out_);
  EXPECT_TRUE(out_.empty());
  now_ = std::max(now_, engine_.session().next_timer_ns());
  run_timers();
  life_ = {.boot_id = 0xb008, .session = 0x00100009};
  register_with(life_);
  while (!out_.full()) engine_.publish(wire::write_publication("x"), {}, now_, out_);
  const std::uint32_t later = subscribe("c");
  run_timers();
  out_.clear();
  const auto sent = pass_until(now_ + kMs);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].header().sequence(), wanted);
  EXPECT_EQ(sent[1].header().sequence(), later);
}

TEST_F(EventEngineTest, SubscriptionsRunOut) {
  for (std::size_t i = 0; i < EventEngine::kSubscriptionsMax; ++i) {
    ASSERT_NE(subscribe("a"), 0U);
    out_.clear();
  }
  EXPECT_EQ(subscribe("a"), 0U);
}

}  // namespace
}  // namespace mcplane::client
