// What becomes of a client's sends when its session does: the same one again, another, and other slot limits.
#include <gtest/gtest.h>

#include <set>

#include "unit/client/client_fixture.h"

namespace mcplane::client {
namespace {

using ClientSessionTest = ClientEngineTest;

constexpr Life kOther{.boot_id = 0xbeef, .session = 0x00500005, .port = 4802};

TEST_F(ClientSessionTest, AnotherBootEndsWhatMayNotRunTwiceAndStartsAfresh) {
  send(1);
  receive(test::deliver(send(2).bytes(), answer_));
  const auto before = send(3);
  take_done();
  register_again(kOther);
  const auto done = take_done();
  ASSERT_EQ(done.size(), 2U);
  for (const auto& lost : done) {
    EXPECT_TRUE(lost.broker_lost);
    EXPECT_EQ(lost.executed, wire::Executed::Maybe);
  }
  EXPECT_EQ(engine_.in_flight(), 0U);
  EXPECT_EQ(engine_.slots_free(), 4U);
  receive(test::deliver(before.bytes(), answer_));
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(wire::header_of(send(4).bytes()).sequence(), 1U);
}

TEST_F(ClientSessionTest, IdempotentSendIsSentAgainAsNew) {
  receive(test::deliver(send(1).bytes(), answer_));
  const auto before = send_idempotent(2, 10'000);
  take_done();
  const std::uint64_t sent_ns = now_;
  register_again(kOther);
  engine_.on_timer(now_, out_, done_);
  const auto again = take_one(out_, FrameType::Send);
  const auto& header = again.header();
  EXPECT_EQ(again.to, shard_of(kOther));
  EXPECT_EQ(header.boot_id(), kOther.boot_id);
  EXPECT_EQ(header.session(), kOther.session);
  EXPECT_EQ(header.sequence(), 1U);
  EXPECT_EQ(wire::header_of(before.bytes()).sequence(), 2U);
  EXPECT_EQ(header.ttl_ms(), 10'000 - (now_ - sent_ns) / kMs);
  EXPECT_FALSE(wire::has(header.flags(), wire::Flag::Retry));
  EXPECT_EQ(header.token_generation(), 0U);
  EXPECT_TRUE(std::ranges::equal(wire::payload_of(again.frame.bytes()), payload_));
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(engine_.in_flight(), 1U);
  receive(test::deliver(again.frame.bytes(), answer_));
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].context, 2U);
  EXPECT_EQ(done_[0].task_id, request(2).task_id);
  EXPECT_EQ(done_[0].sent_ns, sent_ns);
}

TEST_F(ClientSessionTest, IdempotentSendWithoutTimeLeftEnds) {
  send_idempotent(1, 100);
  pass_until(now_ + 150 * kMs);
  register_again(kOther);
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_FALSE(done_[0].broker_lost);
  EXPECT_EQ(done_[0].reason, wire::Reason::Expired);
  EXPECT_EQ(done_[0].executed, wire::Executed::Maybe);
  EXPECT_EQ(engine_.in_flight(), 0U);
  EXPECT_EQ(engine_.slots_free(), 4U);
}

TEST_F(ClientSessionTest, SendsThatFindNoSlotInTheNewSessionWaitForOne) {
  for (std::uint64_t i = 0; i < 4; ++i) send_idempotent(i);
  Life narrow = kOther;
  narrow.slot_limit = 1;
  register_again(narrow);
  EXPECT_EQ(engine_.in_flight(), 4U);
  EXPECT_EQ(engine_.slots_free(), 0U);
  EXPECT_EQ(engine_.send(request(9), now_, out_), SendStatus::kNoSlot);
  std::set<std::uint64_t> ended;
  for (std::uint32_t sequence = 1; sequence <= 4; ++sequence) {
    engine_.on_timer(now_, out_, done_);
    const auto sent = take_one(out_, FrameType::Send);
    EXPECT_EQ(sent.header().slot(), 0);
    EXPECT_EQ(sent.header().sequence(), sequence);
    receive(test::deliver(sent.frame.bytes(), answer_));
    for (const auto& done : take_done()) ended.insert(done.context);
  }
  EXPECT_EQ(ended, (std::set<std::uint64_t>{0, 1, 2, 3}));
  EXPECT_EQ(engine_.slots_free(), 1U);
  EXPECT_EQ(engine_.in_flight(), 0U);
}

TEST_F(ClientSessionTest, WaitingSendMayEndByItselfOrBeCancelled) {
  send_idempotent(0, 60'000);
  send_idempotent(1, 2'000);
  send_idempotent(2, 60'000);
  Life narrow = kOther;
  narrow.slot_limit = 1;
  register_again(narrow);
  engine_.on_timer(now_, out_, done_);
  const auto first = take_one(out_, FrameType::Send);
  receive(test::acknowledge(first.frame.bytes()));
  pass_until(kStart + 2'600 * kMs);
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].context, 1U);
  EXPECT_EQ(done_[0].reason, wire::Reason::Expired);
  EXPECT_TRUE(engine_.cancel(2, now_, out_, done_));
  EXPECT_TRUE(out_.empty());  // the broker never heard of it
  EXPECT_EQ(engine_.in_flight(), 1U);
  done_.clear();
  receive(test::deliver(first.frame.bytes(), answer_));
  EXPECT_EQ(take_done().at(0).context, 0U);
  EXPECT_EQ(engine_.slots_free(), 1U);
}

TEST_F(ClientSessionTest, WaitingSendOutlivesYetAnotherSession) {
  for (std::uint64_t i = 0; i < 3; ++i) send_idempotent(i, 60'000);
  Life narrow = kOther;
  narrow.slot_limit = 1;
  register_again(narrow);
  out_.clear();
  register_again({.boot_id = 0xcafe});
  engine_.on_timer(now_, out_, done_);
  const auto sent = take_sent(out_);
  ASSERT_EQ(sent.size(), 3U);
  for (const auto& frame : sent) receive(test::deliver(frame.frame.bytes(), answer_));
  EXPECT_EQ(done_.size(), 3U);
  EXPECT_EQ(engine_.slots_free(), 4U);
}

TEST_F(ClientSessionTest, SilentBrokersTasksMoveToTheNext) {
  const wire::Endpoint second{wire::IpAddress::v4({10, 0, 0, 2}), 4800};
  engine_.add_broker(second);
  send(1, 60'000);
  send_idempotent(2, 60'000);
  std::vector<Sent> last;
  while (engine_.session().broker() == kBroker || last.empty() || last.back().header().type() != FrameType::Hello) {
    ASSERT_LT(now_, kStart + 10'000 * kMs);
    now_ = std::max(now_, engine_.next_timer_ns());
    engine_.on_timer(now_, out_, done_);
    if (auto sent = take_sent(out_); !sent.empty()) last = std::move(sent);
  }
  EXPECT_EQ(last.back().to, second);
  EXPECT_TRUE(done_.empty());
  // That its numbers happen to be the same makes it no continuation.
  receive(test::retry(++cookies_, life_), second);
  receive(test::welcome(life_), second);
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].context, 1U);
  EXPECT_TRUE(done_[0].broker_lost);
  out_.clear();
  engine_.on_timer(now_, out_, done_);
  const auto moved = take_one(out_, FrameType::Send);
  EXPECT_EQ(moved.to, (wire::Endpoint{second.ip, life_.port}));
  EXPECT_EQ(moved.header().sequence(), 1U);
  receive(test::deliver(moved.frame.bytes(), answer_), moved.to);
  ASSERT_EQ(done_.size(), 2U);
  EXPECT_EQ(done_[1].context, 2U);
}

TEST_F(ClientSessionTest, CancellingSlotIsFreeInAnotherSession) {
  send(1);
  engine_.cancel(1, now_, out_, done_);
  done_.clear();
  register_again(kOther);
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(engine_.slots_free(), 4U);
  EXPECT_TRUE(pass_until(now_ + 900 * kMs).empty());
}

TEST_F(ClientSessionTest, TheSameSessionComesBackUnharmed) {
  const auto sent = send(1);
  receive(test::unknown_session(life_));
  EXPECT_EQ(engine_.send(request(2), now_, out_), SendStatus::kNotRegistered);
  EXPECT_GE(engine_.next_timer_ns(), engine_.session().next_timer_ns());  // nothing is sent without a session
  now_ = engine_.session().next_timer_ns();
  engine_.on_timer(now_, out_, done_);
  register_with(life_);
  EXPECT_TRUE(done_.empty());
  engine_.on_timer(now_ + 50 * kMs, out_, done_);
  EXPECT_EQ(take_one(out_, FrameType::Send).header().sequence(), 1U);
  receive(test::deliver(sent.bytes(), answer_));
  EXPECT_EQ(done_.size(), 1U);
  EXPECT_EQ(wire::header_of(send(2).bytes()).sequence(), 2U);
}

// Only a hint: when the session is found to be gone, the send ends with it.
TEST_F(ClientSessionTest, UnknownSessionForASendIsNoOutcome) {
  receive(test::reject(send(6).bytes(), wire::Reason::UnknownSession, wire::Executed::NotSaid));
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(engine_.session().state(), SessionState::kWaiting);
}

TEST_F(ClientSessionTest, LoweredSlotLimitTakesSlotsOutOfUse) {
  const auto limit_to = [&](std::uint16_t limit) {
    now_ = std::max(now_ + 1'000 * kMs, engine_.session().next_timer_ns());
    engine_.on_timer(now_, out_, done_);
    life_.slot_limit = limit;
    for (const auto& sent : take_sent(out_))
      if (sent.header().type() == FrameType::Ping) receive(test::pong(life_, sent.header().sequence()));
  };
  const auto first = send(1, 60'000), second = send(2, 60'000);
  EXPECT_EQ(wire::header_of(second.bytes()).slot(), 1);
  limit_to(1);
  EXPECT_EQ(engine_.slots_free(), 0U);
  receive(test::deliver(second.bytes(), answer_));  // what is in flight goes on
  EXPECT_EQ(done_.size(), 1U);
  EXPECT_EQ(engine_.slots_free(), 0U);
  receive(test::deliver(first.bytes(), answer_));
  EXPECT_EQ(engine_.slots_free(), 1U);
  limit_to(3);
  EXPECT_EQ(engine_.slots_free(), 3U);
  limit_to(9'000);
  EXPECT_EQ(engine_.slots_free(), 4U);
  std::set<std::uint16_t> slots;
  for (std::uint64_t i = 0; i < 4; ++i) slots.insert(wire::header_of(send(i).bytes()).slot());
  EXPECT_EQ(slots, (std::set<std::uint16_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace mcplane::client
