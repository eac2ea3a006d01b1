// That a worker's RESULTs arrive, no ROUTE runs twice and every ROUTE is answered, whatever gets lost.
#include <gtest/gtest.h>

#include "unit/client/worker_fixture.h"
#include "wire/ack.h"

namespace mcplane::client {
namespace {

using wire::Reason;

std::vector<std::uint64_t> sent_at_ms(const std::vector<Sent>& all, FrameType type, std::uint64_t since) {
  std::vector<std::uint64_t> times;
  for (const auto& sent : all)
    if (sent.header().type() == type) times.push_back((sent.at_ns - since) / kMs);
  return times;
}

class WorkerDeliveryTest : public WorkerEngineTest {
 protected:
  WorkerDeliveryTest() { measure(); }
};

TEST_F(WorkerDeliveryTest, ResultsAreNumbered) {
  for (std::uint32_t i = 1; i <= 3; ++i) EXPECT_EQ(run({{0x01000000 + i, 1}, 1}).header().sequence(), i);
}

TEST_F(WorkerDeliveryTest, RouteWhoseResultTakesTimeIsAcknowledged) {
  const std::uint64_t start = now_;
  receive(route({}));
  EXPECT_TRUE(out_.empty());
  const auto sent = pass_until(start + 100 * kMs);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent_at_ms(sent, FrameType::Ack, start), (std::vector<std::uint64_t>{1}));
  const auto& header = sent[0].header();
  EXPECT_EQ(header.answers(), FrameType::Route);
  EXPECT_EQ(header.reason(), Reason::Ok);
  EXPECT_EQ(wire::token_of(header), Attempt{}.token);
  EXPECT_EQ(header.attempt(), 1);
  EXPECT_EQ(header.worker_session(), life_.session);
  EXPECT_EQ(header.session(), life_.session);
  EXPECT_EQ(header.boot_id(), life_.boot_id);
  EXPECT_EQ(sent[0].to, shard_of(life_));
  EXPECT_EQ(engine_.acks_sent(), 1U);
}

TEST_F(WorkerDeliveryTest, ResultInTimeIsTheAcknowledgement) {
  run({});
  receive(test::acknowledge_result(life_, 1));
  EXPECT_TRUE(pass_until(now_ + 100 * kMs).empty());
  EXPECT_EQ(engine_.acks_sent(), 0U);
}

TEST_F(WorkerDeliveryTest, RoutesOfOneShardAreAcknowledgedInOneFrame) {
  const wire::Endpoint one{kBroker.ip, 4801}, two{kBroker.ip, 4802};
  for (std::uint32_t i = 1; i <= 6; ++i) receive(route({{i, 10 + i}, 1}), i % 2 == 0 ? two : one);
  ASSERT_TRUE(finish({{3, 13}, 1}));
  take_one(out_, FrameType::Result);
  receive(test::acknowledge_result(life_, 1));
  const auto sent = pass_until(now_ + 100 * kMs);
  ASSERT_EQ(sent.size(), 2U);
  const auto tokens_of = [](const Sent& ack) {
    std::vector<TaskToken> tokens = {wire::token_of(ack.header())};
    for (const auto& entry : wire::ack_entries(ack.frame.bytes())) tokens.push_back({entry.name(), entry.number()});
    return tokens;
  };
  EXPECT_EQ(sent[0].to, one);
  EXPECT_EQ(tokens_of(sent[0]), (std::vector<TaskToken>{{1, 11}, {5, 15}}));
  EXPECT_EQ(sent[1].to, two);
  EXPECT_EQ(tokens_of(sent[1]), (std::vector<TaskToken>{{2, 12}, {4, 14}, {6, 16}}));
}

TEST_F(WorkerDeliveryTest, RepeatedRouteOfARunningTaskIsAcknowledgedAtOnce) {
  receive(route({}));
  receive(route({}));
  EXPECT_EQ(assigned_.size(), 1U);
  const auto ack = take_one(out_, FrameType::Ack);
  EXPECT_EQ(ack.header().answers(), FrameType::Route);
  EXPECT_EQ(ack.header().reason(), Reason::Ok);
  EXPECT_EQ(engine_.duplicates(), 1U);
  EXPECT_TRUE(pass_until(now_ + 100 * kMs).empty());
}

TEST_F(WorkerDeliveryTest, RepeatedRouteOfAFinishedTaskGetsItsResultAgain) {
  const auto first = run({});
  receive(route({}), {kBroker.ip, 4802});
  const auto second = take_one(out_, FrameType::Result);
  EXPECT_EQ(second.to.port, 4802);
  Frame expected(first.frame.bytes());
  expected.header().mutate_flags(raw(wire::Flag::Retry));
  EXPECT_TRUE(std::ranges::equal(second.frame.bytes(), expected.bytes()));
  EXPECT_EQ(assigned_.size(), 1U);
  EXPECT_EQ(engine_.executed(), 1U);
}

TEST_F(WorkerDeliveryTest, RepeatedRouteIsNotRunAgainWhenItsResultIsNoLongerKept) {
  run({});
  receive(test::acknowledge_result(life_, 1));
  receive(route({}));
  const auto ack = take_one(out_, FrameType::Ack);
  EXPECT_EQ(ack.header().answers(), FrameType::Route);
  EXPECT_EQ(ack.header().reason(), Reason::Stopped);
  EXPECT_EQ(assigned_.size(), 1U);
}

TEST_F(WorkerDeliveryTest, RouteFarBelowTheHighestIsNotRun) {
  receive(route({{1, 1}, 1, 5'000}));
  receive(route({{2, 1}, 1, 5'000 - RouteWindow::kNumbers + 1}));
  EXPECT_EQ(assigned_.size(), 2U);
  out_.clear();
  receive(route({{3, 1}, 1, 5'000 - RouteWindow::kNumbers}));
  EXPECT_EQ(take_one(out_, FrameType::Ack).header().reason(), Reason::Stopped);
  EXPECT_EQ(assigned_.size(), 2U);
}

TEST_F(WorkerDeliveryTest, EachShardCountsItsOwn) {
  receive(route({{0x01000001, 1}, 1, 5'000}));
  receive(route({{0x02000001, 1}, 1, 1}));
  receive(route({{0x00000001, 1}, 1, 1}));
  EXPECT_EQ(assigned_.size(), 3U);
}

TEST_F(WorkerDeliveryTest, NewGenerationAndNewAttemptOfATokenAreNewTasks) {
  run({{5, 1}, 1});
  run({{5, 2}, 1});
  run({{5, 2}, 2});
  EXPECT_EQ(assigned_.size(), 3U);
  EXPECT_EQ(engine_.executed(), 3U);
  EXPECT_EQ(engine_.kept(), 3U);
}

TEST_F(WorkerDeliveryTest, FinishOfWhatIsNotRunningIsIgnored) {
  EXPECT_FALSE(finish({}));
  run({});
  EXPECT_FALSE(finish({}));
  EXPECT_FALSE(finish({Attempt{}.token, 2}));
  EXPECT_TRUE(out_.empty());
}

TEST_F(WorkerDeliveryTest, ResultIsRepeatedByPtoDoublingToASecond) {
  const std::uint64_t start = now_;
  run({});
  const auto sent = pass_until(start + 3'000 * kMs);
  EXPECT_EQ(sent_at_ms(sent, FrameType::Result, start),
            (std::vector<std::uint64_t>{5, 15, 35, 75, 155, 315, 635, 1'275, 2'275}));
  EXPECT_EQ(engine_.retransmissions(), 9U);
  for (const auto& again : sent) EXPECT_TRUE(wire::has(again.header().flags(), wire::Flag::Retry));
}

TEST_F(WorkerDeliveryTest, AcknowledgedResultIsLetGo) {
  for (const Reason reason : {Reason::Ok, Reason::Discard}) {
    const auto sent = run({{1, 1}, static_cast<std::uint8_t>(raw(reason) + 1)});
    EXPECT_EQ(engine_.kept(), 1U);
    EXPECT_FALSE(engine_.idle());
    receive(test::acknowledge_result(life_, sent.header().sequence(), reason));
    EXPECT_EQ(engine_.kept(), 0U);
    EXPECT_TRUE(engine_.idle());
  }
  EXPECT_TRUE(pass_until(now_ + 3'000 * kMs).empty());
}

TEST_F(WorkerDeliveryTest, HeldResultIsKeptAndRepeatedOnlyEachSecond) {
  run({});
  receive(test::acknowledge_result(life_, 1, Reason::Held));
  const std::uint64_t start = now_;
  EXPECT_EQ(sent_at_ms(pass_until(start + 2'500 * kMs), FrameType::Result, start),
            (std::vector<std::uint64_t>{1'000, 2'000}));
  EXPECT_EQ(engine_.kept(), 1U);
  receive(test::acknowledge_result(life_, 1, Reason::Held));
  receive(test::acknowledge_result(life_, 1, Reason::Ok));
  EXPECT_EQ(engine_.kept(), 0U);
  EXPECT_TRUE(pass_until(start + 9'000 * kMs).empty());
}

TEST_F(WorkerDeliveryTest, OneAckMayBeOfSeveralResults) {
  for (std::uint32_t i = 1; i <= 5; ++i) run({{i, 1}, 1});
  Frame ack = test::acknowledge_result(life_, 2, Reason::Held);
  ack = test::with_entry(ack, 1, raw(Reason::Ok));
  ack = test::with_entry(ack, 4, raw(Reason::Discard));
  ack = test::with_entry(ack, 77, raw(Reason::Ok));      // of no RESULT
  ack = test::with_entry(ack, 3, 0x01000000);            // no reason
  ack = test::with_entry(ack, 3, raw(Reason::Running));  // not one for a RESULT
  receive(ack);
  EXPECT_EQ(engine_.kept(), 3U);
  std::vector<std::uint32_t> numbers;
  for (const auto& sent : pass_until(now_ + 5 * kMs)) numbers.push_back(sent.header().sequence());
  EXPECT_EQ(numbers, (std::vector<std::uint32_t>{3, 5}));
}

TEST_F(WorkerDeliveryTest, RouteAcknowledgesAResult) {
  run({{1, 1}, 1});
  run({{2, 1}, 1});
  auto next = route({{3, 1}, 1});
  next.header().mutate_sequence(2);
  receive(next);
  EXPECT_EQ(engine_.kept(), 1U);
  next.header().mutate_sequence(1);  // a repeated ROUTE may bring news too
  receive(next);
  EXPECT_EQ(engine_.kept(), 0U);
}

TEST_F(WorkerDeliveryTest, PulledResultIsSentAtOnce) {
  run({});
  receive(test::acknowledge_result(life_, 1, Reason::Held));
  receive(test::pull_result(life_, {}));
  const auto again = take_one(out_, FrameType::Result);
  EXPECT_TRUE(wire::has(again.header().flags(), wire::Flag::Retry));
  EXPECT_EQ(wire::read_answer(wire::payload_of(again.frame.bytes())), "hello");
  // From then on by PTO: the pulled one may be lost.
  const std::uint64_t start = now_;
  EXPECT_EQ(sent_at_ms(pass_until(start + 16 * kMs), FrameType::Result, start), (std::vector<std::uint64_t>{5, 15}));
  receive(test::pull_result(life_, {Attempt{}.token, 2}));
  EXPECT_TRUE(out_.empty());
}

TEST_F(WorkerDeliveryTest, AtTheCapOfKeptBytesRoutesAreDroppedUntilThereIsRoom) {
  WorkerEngine engine(kBroker, worker_hello(2), kMtuBytes, Random(1), 2 * (wire::kLeadBytes + answer_.size()));
  engine.start(now_, out_);
  engine.on_datagram(test::retry(1).bytes(), kBroker, now_, out_, assigned_);
  engine.on_datagram(test::welcome(life_).bytes(), kBroker, now_, out_, assigned_);
  out_.clear();
  const auto offer = [&](std::uint32_t location) {
    assigned_.clear();
    engine.on_datagram(route({{location, 1}, 1}).bytes(), shard_of(life_), now_, out_, assigned_);
    if (assigned_.empty()) return false;
    return engine.finish({location, 1}, 1, answer_, false, now_, out_);
  };
  EXPECT_TRUE(offer(1));
  EXPECT_TRUE(offer(2));
  out_.clear();
  EXPECT_FALSE(offer(3));
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(engine.dropped(), 1U);
  engine.on_datagram(test::acknowledge_result(life_, 1).bytes(), shard_of(life_), now_, out_, assigned_);
  EXPECT_TRUE(offer(3));  // the same ROUTE, tried again
}

TEST_F(WorkerDeliveryTest, CancelOfARunningTaskSaysRunningAndItsResultFollows) {
  receive(route({}));
  receive(cancel({}), {kBroker.ip, 4802});
  const auto ack = take_one(out_, FrameType::Ack);
  EXPECT_EQ(ack.to.port, 4802);
  EXPECT_EQ(ack.header().answers(), FrameType::Cancel);
  EXPECT_EQ(ack.header().reason(), Reason::Running);
  EXPECT_EQ(wire::token_of(ack.header()), Attempt{}.token);
  EXPECT_EQ(ack.header().attempt(), 1);
  EXPECT_EQ(ack.header().worker_session(), life_.session);
  EXPECT_TRUE(pass_until(now_ + 100 * kMs).empty());  // the ROUTE is acknowledged with it
  EXPECT_TRUE(finish({}));
}

TEST_F(WorkerDeliveryTest, CancelOfAnUnknownTaskStopsItForGood) {
  receive(cancel({}));
  EXPECT_EQ(take_one(out_, FrameType::Ack).header().reason(), Reason::Stopped);
  receive(route({}));  // overtaken by its CANCEL
  EXPECT_TRUE(assigned_.empty());
  const auto ack = take_one(out_, FrameType::Ack);
  EXPECT_EQ(ack.header().answers(), FrameType::Route);
  EXPECT_EQ(ack.header().reason(), Reason::Stopped);
}

TEST_F(WorkerDeliveryTest, CancelOfAFinishedTaskSaysStoppedAndLetsItsResultGo) {
  run({});
  receive(cancel({}));
  EXPECT_EQ(take_one(out_, FrameType::Ack).header().reason(), Reason::Stopped);
  EXPECT_TRUE(engine_.idle());
  EXPECT_TRUE(pass_until(now_ + 100 * kMs).empty());
}

TEST_F(WorkerDeliveryTest, ResultThatFoundNoRoomFollows) {
  receive(route({}));
  while (!out_.full()) out_.commit(wire::kLeadBytes, kBroker);
  EXPECT_TRUE(finish({}));
  EXPECT_LE(engine_.next_timer_ns(), now_);
  out_.clear();
  engine_.on_timer(now_, out_);
  const auto sent = take_one(out_, FrameType::Result);
  EXPECT_FALSE(wire::has(sent.header().flags(), wire::Flag::Retry));
  EXPECT_EQ(wire::read_answer(wire::payload_of(sent.frame.bytes())), "hello");
}

TEST_F(WorkerDeliveryTest, AnotherBootMakesItForgetEverything) {
  receive(route({{1, 1}, 1}));
  run({{2, 1}, 1});
  run({{3, 1}, 1});
  receive(test::acknowledge_result(life_, 2, Reason::Held));
  receive(test::unknown_session({.boot_id = 0xbeef}));
  now_ = engine_.session().next_timer_ns();
  engine_.on_timer(now_, out_);
  life_.boot_id = 0xbeef;
  register_with(life_);
  measure();
  EXPECT_TRUE(engine_.idle());
  EXPECT_FALSE(finish({{1, 1}, 1}));
  EXPECT_TRUE(pass_until(now_ + 900 * kMs).empty());
  const auto handed_out = assigned_.size();
  EXPECT_EQ(run({{1, 1}, 1}).header().sequence(), 1U);  // tokens and numbers start over
  EXPECT_EQ(assigned_.size(), handed_out + 1);
}

TEST_F(WorkerDeliveryTest, TheSameSessionComesBackUnharmed) {
  receive(route({{1, 1}, 1}));
  run({{2, 1}, 1});
  receive(test::unknown_session(life_));
  EXPECT_TRUE(finish({{1, 1}, 1}));  // nothing is sent without a session
  EXPECT_TRUE(out_.empty());
  EXPECT_GE(engine_.next_timer_ns(), engine_.session().next_timer_ns());
  now_ = engine_.session().next_timer_ns();
  engine_.on_timer(now_, out_);
  register_with(life_);
  std::vector<std::uint32_t> numbers;
  for (const auto& sent : pass_until(now_ + 60 * kMs)) numbers.push_back(sent.header().sequence());
  EXPECT_EQ(numbers, (std::vector<std::uint32_t>{2, 1}));
}

TEST_F(WorkerDeliveryTest, ClosedWorkerTakesNothingNewAndDeliversWhatItHas) {
  receive(route({{1, 1}, 1}));
  engine_.close(now_, out_);
  take_one(out_, FrameType::Bye);
  receive(route({{2, 1}, 1}));
  EXPECT_EQ(take_one(out_, FrameType::Ack).header().reason(), Reason::Stopped);
  EXPECT_EQ(assigned_.size(), 1U);
  EXPECT_TRUE(finish({{1, 1}, 1}));
  take_one(out_, FrameType::Result);
  EXPECT_FALSE(engine_.idle());
  const std::uint64_t start = now_;
  EXPECT_EQ(sent_at_ms(pass_until(start + 16 * kMs), FrameType::Result, start), (std::vector<std::uint64_t>{5, 15}));
  receive(test::acknowledge_result(life_, 1));
  EXPECT_TRUE(engine_.idle());
}

TEST_F(WorkerDeliveryTest, EndOfAClosedSessionEndsTheRepeats) {
  run({});
  engine_.close(now_, out_);
  receive(test::unknown_session(life_));
  out_.clear();
  EXPECT_EQ(engine_.next_timer_ns(), ~0ULL);
}

TEST_F(WorkerDeliveryTest, WhatIsGivenBackIsSaidToBeStopped) {
  receive(route({{1, 1}, 1}));
  engine_.close(now_, out_);
  out_.clear();
  EXPECT_TRUE(engine_.give_back({1, 1}, 1, now_, out_));
  const auto ack = take_one(out_, FrameType::Ack);
  EXPECT_EQ(ack.header().answers(), FrameType::Route);
  EXPECT_EQ(ack.header().reason(), Reason::Stopped);
  EXPECT_EQ(wire::token_of(ack.header()), (TaskToken{1, 1}));
  EXPECT_TRUE(engine_.idle());
  EXPECT_FALSE(engine_.give_back({1, 1}, 1, now_, out_));
  receive(route({{1, 1}, 1}));  // that answer was lost
  EXPECT_EQ(take_one(out_, FrameType::Ack).header().reason(), Reason::Stopped);
}

// 64,000 engines in one process.
TEST(WorkerEngineSize, IdleEngineIsSmall) { EXPECT_LE(sizeof(WorkerEngine), 1'500U); }

}  // namespace
}  // namespace mcplane::client
