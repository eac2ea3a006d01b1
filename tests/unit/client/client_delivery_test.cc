// That a client's SENDs arrive and its outcomes are acknowledged, whatever gets lost: what it sends again, and when.
#include <gtest/gtest.h>

#include "unit/client/client_fixture.h"
#include "wire/ack.h"

namespace mcplane::client {
namespace {

using test::Attempt;

// How long after `since` frames of that type were sent, in milliseconds.
std::vector<std::uint64_t> times_ms(const std::vector<Sent>& all, FrameType type, std::uint64_t since) {
  std::vector<std::uint64_t> times;
  for (const auto& sent : all)
    if (sent.header().type() == type) times.push_back((sent.at_ns - since) / kMs);
  return times;
}

std::vector<Sent> only(std::vector<Sent> all, FrameType type) {
  std::erase_if(all, [type](const Sent& sent) { return sent.header().type() != type; });
  return all;
}

class ClientDeliveryTest : public ClientEngineTest {
 protected:
  ClientDeliveryTest() { measure(); }
  // An outcome and its acknowledgement; the slot is free.
  void finish(const Frame& sent) {
    receive(test::deliver(sent.bytes(), answer_));
    pass_until(now_ + 2 * kMs);
    done_.clear();
  }
};

TEST_F(ClientEngineTest, SendIsRepeatedAfter50MsBeforeTheRoundTripIsKnown) {
  send(1);
  const auto sent = pass_until(kStart + 400 * kMs);
  EXPECT_EQ(times_ms(sent, FrameType::Send, kStart), (std::vector<std::uint64_t>{50, 150, 350}));
}

TEST_F(ClientDeliveryTest, SendIsRepeatedByPtoDoublingToASecond) {
  const std::uint64_t start = now_;
  const auto first = send(1);
  const auto sent = pass_until(start + 4'000 * kMs);
  EXPECT_EQ(times_ms(sent, FrameType::Send, start),
            (std::vector<std::uint64_t>{5, 15, 35, 75, 155, 315, 635, 1'275, 2'275, 3'275}));
  EXPECT_EQ(engine_.retransmissions(), 10U);
}

TEST_F(ClientDeliveryTest, RepeatedSendIsTheSameButForItsFlagAndWhatIsLeftOfItsTtl) {
  const auto first = send(1, 10'000);
  const auto sent = pass_until(now_ + 5 * kMs);
  ASSERT_EQ(sent.size(), 1U);
  Frame expected(first.bytes());
  expected.header().mutate_flags(raw(wire::Flag::Retry));
  expected.header().mutate_ttl_ms(9'995);
  EXPECT_TRUE(std::ranges::equal(sent[0].frame.bytes(), expected.bytes()));
  EXPECT_EQ(sent[0].to, shard_of(life_));
}

TEST_F(ClientDeliveryTest, SendIsNotRepeatedOnceItsTtlIsUp) {
  const std::uint64_t start = now_;
  send(1, 30);
  const auto sent = pass_until(start + 400 * kMs);
  EXPECT_EQ(times_ms(sent, FrameType::Send, start), (std::vector<std::uint64_t>{5, 15}));
}

TEST_F(ClientDeliveryTest, AcknowledgedSendIsNotRepeated) {
  receive(test::acknowledge(send(1).bytes()));
  EXPECT_TRUE(pass_until(now_ + 9'000 * kMs).empty());
  EXPECT_EQ(engine_.in_flight(), 1U);
  EXPECT_EQ(engine_.retransmissions(), 0U);
}

TEST_F(ClientDeliveryTest, OneAckMayBeOfSeveralSends) {
  std::vector<Frame> sends;
  for (std::uint64_t i = 0; i < 4; ++i) sends.push_back(send(i));
  Frame ack = test::acknowledge(sends[0].bytes());
  for (const std::size_t i : {std::size_t{1}, std::size_t{3}}) {
    const auto& header = wire::header_of(sends[i].bytes());
    ack = test::with_entry(ack, header.slot(), header.sequence());
  }
  ack = test::with_entry(ack, wire::header_of(sends[2].bytes()).slot(), 7);  // of no send
  ack = test::with_entry(ack, 60'000, 1);                                    // of no slot
  receive(ack);
  const auto sent = pass_until(now_ + 5 * kMs);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].header().slot(), wire::header_of(sends[2].bytes()).slot());
  EXPECT_EQ(engine_.dropped(), 0U);
}

TEST_F(ClientDeliveryTest, OutcomeEndsTheRepeats) {
  receive(test::deliver(send(1).bytes(), answer_));
  const auto refused = send(2);
  receive(test::reject(refused.bytes(), wire::Reason::QueueFull, wire::Executed::No));
  EXPECT_TRUE(only(pass_until(now_ + 2'000 * kMs), FrameType::Send).empty());
}

TEST_F(ClientDeliveryTest, NewsFromTheBrokerEndTheBackoff) {
  const std::uint64_t start = now_;
  send(1);
  const auto other = send(2);
  EXPECT_EQ(times_ms(pass_until(start + 40 * kMs), FrameType::Send, start),
            (std::vector<std::uint64_t>{5, 5, 15, 15, 35, 35}));
  receive(test::acknowledge(other.bytes()));
  // What is left was last sent 5 ms ago, not 40.
  EXPECT_EQ(times_ms(pass_until(start + 60 * kMs), FrameType::Send, start), (std::vector<std::uint64_t>{40, 50}));
  receive(test::acknowledge(other.bytes()));  // no news
  EXPECT_EQ(times_ms(pass_until(start + 80 * kMs), FrameType::Send, start), (std::vector<std::uint64_t>{70}));
}

TEST_F(ClientDeliveryTest, EachSendHasItsOwnTimer) {
  const std::uint64_t start = now_;
  send(1);
  pass_until(start + 2 * kMs);
  send(2);
  const auto sent = pass_until(start + 8 * kMs);
  EXPECT_EQ(times_ms(sent, FrameType::Send, start), (std::vector<std::uint64_t>{5, 7}));
}

TEST_F(ClientDeliveryTest, FullOutboxPutsOffRepeats) {
  send(1);
  now_ += 5 * kMs;
  while (!out_.full()) out_.commit(wire::kLeadBytes, kBroker);
  engine_.on_timer(now_, out_, done_);
  EXPECT_LE(engine_.next_timer_ns(), now_);
  out_.clear();
  engine_.on_timer(now_, out_, done_);
  take_one(out_, FrameType::Send);
}

TEST_F(ClientDeliveryTest, PulledSendEchoesTheTokenAndItsTimerStops) {
  const auto first = send(1, 10'000);
  now_ += 3 * kMs;
  const Attempt attempt{{0x02000005, 9}, 2};
  receive(test::pull(first.bytes(), attempt));
  const auto pulled = take_one(out_, FrameType::Send);
  EXPECT_EQ(wire::token_of(pulled.header()), attempt.token);
  EXPECT_EQ(pulled.header().attempt(), 2);
  EXPECT_EQ(pulled.header().ttl_ms(), 9'997U);
  EXPECT_TRUE(wire::has(pulled.header().flags(), wire::Flag::Retry));
  EXPECT_EQ(pulled.header().sequence(), wire::header_of(first.bytes()).sequence());
  EXPECT_TRUE(std::ranges::equal(wire::payload_of(pulled.frame.bytes()), payload_));
  EXPECT_EQ(pulled.to, shard_of(life_));
  EXPECT_TRUE(pass_until(now_ + 2'000 * kMs).empty());
  receive(test::pull(first.bytes(), attempt));
  take_one(out_, FrameType::Send);
}

TEST_F(ClientDeliveryTest, PullOfWhatIsNotInFlightBringsNothing) {
  const auto first = send(1, 30);
  Frame other = test::pull(first.bytes(), {});
  other.header().mutate_sequence(9);
  receive(other);
  EXPECT_TRUE(out_.empty());
  now_ += 30 * kMs;
  receive(test::pull(first.bytes(), {}));  // nothing is left of its TTL
  EXPECT_TRUE(out_.empty());
}

TEST_F(ClientDeliveryTest, PullOfWhatHasItsOutcomeIsAnsweredByItsAcknowledgement) {
  const auto first = send(1);
  finish(first);
  pass_until(now_ + 100 * kMs);
  receive(test::pull(first.bytes(), {}));
  const auto ack = take_one(out_, FrameType::Ack);
  EXPECT_EQ(ack.header().answers(), FrameType::Deliver);
  EXPECT_EQ(ack.header().sequence(), wire::header_of(first.bytes()).sequence());
}

TEST_F(ClientDeliveryTest, AnAnswerOfTheBrokersOwnIsAcknowledgedOnlyWhereATaskWaitsForIt) {
  for (const bool waits : {false, true}) {
    Frame own = test::deliver(send(1).bytes(), answer_);
    wire::set_substitute(own.header(), wire::Substitute::Reply);
    own.header().mutate_executed(wire::Executed::No);
    own.header().mutate_attempt(0);
    wire::set_token(own.header(), waits ? TaskToken{1, 1} : TaskToken{});
    receive(own);
    const auto done = take_done();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].substitute, wire::Substitute::Reply);
    EXPECT_EQ(done[0].executed, wire::Executed::No);
    EXPECT_EQ(only(pass_until(now_ + 100 * kMs), FrameType::Ack).size(), waits ? 1U : 0U);
  }
}

TEST_F(ClientDeliveryTest, NextSendOnTheSlotIsTheAcknowledgement) {
  receive(test::deliver(send(1).bytes(), answer_));
  now_ += kMs / 2;
  const auto next = send(2);
  EXPECT_EQ(wire::header_of(next.bytes()).sequence(), 2U);
  EXPECT_TRUE(only(pass_until(now_ + 100 * kMs), FrameType::Ack).empty());
  EXPECT_EQ(engine_.acks_sent(), 0U);
}

TEST_F(ClientDeliveryTest, WithoutNextSendTheOutcomeIsAcknowledgedWhenTheDelayIsUp) {
  const std::uint64_t start = now_;
  const auto first = send(1);
  receive(test::deliver(first.bytes(), answer_));
  EXPECT_TRUE(pass_until(start + kMs - 1).empty());
  const auto sent = pass_until(start + 2'000 * kMs);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(times_ms(sent, FrameType::Ack, start), (std::vector<std::uint64_t>{1}));
  const auto& header = sent[0].header();
  EXPECT_EQ(header.answers(), FrameType::Deliver);
  EXPECT_EQ(header.slot(), wire::header_of(first.bytes()).slot());
  EXPECT_EQ(header.sequence(), 1U);
  EXPECT_EQ(header.session(), life_.session);
  EXPECT_EQ(header.boot_id(), life_.boot_id);
  EXPECT_EQ(sent[0].to, shard_of(life_));
  EXPECT_EQ(engine_.acks_sent(), 1U);
}

TEST_F(ClientDeliveryTest, SeveralOutcomesAreAcknowledgedInOneFrame) {
  std::vector<Frame> sends;
  for (std::uint64_t i = 0; i < 4; ++i) sends.push_back(send(i));
  for (const auto& frame : sends) {
    receive(test::deliver(frame.bytes(), answer_));
    now_ += kMs / 10;
  }
  const auto next = send(9);  // acknowledges the last by itself
  EXPECT_EQ(wire::header_of(next.bytes()).slot(), wire::header_of(sends[3].bytes()).slot());
  receive(test::acknowledge(next.bytes()));
  const auto sent = pass_until(now_ + 100 * kMs);
  ASSERT_EQ(sent.size(), 1U);
  std::vector<std::uint32_t> slots = {sent[0].header().slot()};
  for (const auto& entry : wire::ack_entries(sent[0].frame.bytes())) {
    slots.push_back(entry.name());
    EXPECT_EQ(entry.number(), 1U);
  }
  EXPECT_EQ(slots, (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST_F(ClientDeliveryTest, RejectOfATaskIsAcknowledgedARefusalIsNot) {
  receive(test::reject(send(1).bytes(), wire::Reason::NoWorker, wire::Executed::No));
  EXPECT_TRUE(pass_until(now_ + 100 * kMs).empty());
  const auto accepted = send(2);
  auto expired = test::reject(accepted.bytes(), wire::Reason::Expired, wire::Executed::Maybe);
  wire::set_token(expired.header(), {5, 1});
  receive(expired);
  const auto sent = pass_until(now_ + 100 * kMs);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].header().type(), FrameType::Ack);
  EXPECT_EQ(sent[0].header().sequence(), 2U);
}

TEST_F(ClientDeliveryTest, RepeatedOutcomeIsAcknowledgedAtOnce) {
  const auto outcome = test::deliver(send(1).bytes(), answer_);
  receive(outcome);
  EXPECT_TRUE(out_.empty());
  receive(outcome);
  EXPECT_EQ(take_one(out_, FrameType::Ack).header().sequence(), 1U);
  receive(outcome);  // that was lost too
  take_one(out_, FrameType::Ack);
  EXPECT_EQ(done_.size(), 1U);
  EXPECT_TRUE(pass_until(now_ + 100 * kMs).empty());
}

TEST_F(ClientDeliveryTest, RepeatedOutcomeOfAnEarlierExchangeIsLeftToTheSend) {
  const auto outcome = test::deliver(send(1).bytes(), answer_);
  receive(outcome);
  send(2);
  receive(outcome);
  EXPECT_TRUE(out_.empty());
}

TEST_F(ClientDeliveryTest, CancelEndsTheSendAtOnceAndIsRepeatedUntilHeard) {
  const std::uint64_t start = now_;
  const auto first = send(7);
  EXPECT_TRUE(engine_.cancel(7, now_, out_, done_));
  const auto cancel = take_one(out_, FrameType::Cancel);
  EXPECT_EQ(cancel.header().slot(), wire::header_of(first.bytes()).slot());
  EXPECT_EQ(cancel.header().sequence(), 1U);
  EXPECT_EQ(cancel.header().session(), life_.session);
  EXPECT_EQ(cancel.to, shard_of(life_));
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].context, 7U);
  EXPECT_EQ(done_[0].reason, wire::Reason::Cancelled);
  EXPECT_EQ(done_[0].executed, wire::Executed::Maybe);
  EXPECT_EQ(engine_.in_flight(), 0U);
  EXPECT_EQ(engine_.slots_free(), 3U);
  const auto sent = pass_until(start + 40 * kMs);
  EXPECT_EQ(times_ms(sent, FrameType::Cancel, start), (std::vector<std::uint64_t>{5, 15, 35}));
  EXPECT_EQ(sent.size(), 3U);
  receive(test::acknowledge(cancel.frame.bytes()));
  EXPECT_EQ(engine_.slots_free(), 4U);
  EXPECT_TRUE(pass_until(start + 3'000 * kMs).empty());
  EXPECT_EQ(wire::header_of(send(8).bytes()).sequence(), 2U);
}

TEST_F(ClientDeliveryTest, OutcomeOfACancelledSendFreesItsSlotAndIsAcknowledged) {
  const auto first = send(1);
  engine_.cancel(1, now_, out_, done_);
  out_.clear();
  done_.clear();
  receive(test::deliver(first.bytes(), answer_));
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(engine_.duplicates(), 1U);
  EXPECT_EQ(engine_.slots_free(), 4U);
  const auto sent = pass_until(now_ + 100 * kMs);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].header().type(), FrameType::Ack);
}

TEST_F(ClientDeliveryTest, OnlyWhatIsInFlightCanBeCancelled) {
  EXPECT_FALSE(engine_.cancel(1, now_, out_, done_));
  receive(test::deliver(send(1).bytes(), answer_));
  done_.clear();
  EXPECT_FALSE(engine_.cancel(1, now_, out_, done_));
  send(2);
  EXPECT_TRUE(engine_.cancel(2, now_, out_, done_));
  EXPECT_FALSE(engine_.cancel(2, now_, out_, done_));
  EXPECT_EQ(done_.size(), 1U);
}

TEST_F(ClientDeliveryTest, CancelWithoutRoomInTheOutboxFollows) {
  send(1);
  while (!out_.full()) out_.commit(wire::kLeadBytes, kBroker);
  EXPECT_TRUE(engine_.cancel(1, now_, out_, done_));
  EXPECT_LE(engine_.next_timer_ns(), now_);
  out_.clear();
  engine_.on_timer(now_, out_, done_);
  take_one(out_, FrameType::Cancel);
}

TEST_F(ClientDeliveryTest, SendThatOurTimerEndedIsCancelled) {
  const std::uint64_t start = now_;
  const auto first = send(1, 1'000);
  receive(test::acknowledge(first.bytes()));
  const auto sent = pass_until(start + 1'500 * kMs + 6 * kMs);
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].reason, wire::Reason::Expired);
  ASSERT_EQ(sent.size(), 2U);
  for (const auto& cancel : sent) EXPECT_EQ(cancel.header().type(), FrameType::Cancel);
  EXPECT_EQ(sent[1].at_ns - sent[0].at_ns, 5 * kMs);
  EXPECT_EQ(engine_.slots_free(), 3U);
  receive(test::acknowledge(sent[0].frame.bytes()));
  EXPECT_EQ(engine_.slots_free(), 4U);
  EXPECT_EQ(wire::header_of(send(2).bytes()).sequence(), 2U);
}

TEST_F(ClientDeliveryTest, AckOfAnotherCancelChangesNothing) {
  send(1);
  engine_.cancel(1, now_, out_, done_);
  Frame ack = test::acknowledge(take_one(out_, FrameType::Cancel).frame.bytes());
  ack.header().mutate_sequence(2);
  receive(ack);
  EXPECT_EQ(engine_.slots_free(), 3U);
  ack.header().mutate_sequence(1);
  ack.header().mutate_boot_id(1);
  receive(ack);
  EXPECT_EQ(engine_.slots_free(), 3U);
  EXPECT_EQ(engine_.dropped(), 1U);
}

// Numbers go on by one whatever was lost, as the broker's slot rule wants it.
TEST_F(ClientDeliveryTest, SequencesAreNeverSkipped) {
  for (std::uint32_t sequence = 1; sequence <= 20; ++sequence) {
    const auto sent = send(sequence, 100);
    EXPECT_EQ(wire::header_of(sent.bytes()).slot(), 0);
    EXPECT_EQ(wire::header_of(sent.bytes()).sequence(), sequence);
    if (sequence % 3 == 0) {
      finish(sent);
      continue;
    }
    for (const auto& cancel : only(pass_until(now_ + 700 * kMs), FrameType::Cancel))
      receive(test::acknowledge(cancel.frame.bytes()));
    EXPECT_EQ(engine_.slots_free(), 4U);
  }
}

}  // namespace
}  // namespace mcplane::client
