// The client engine against frames written by hand: every send ends once, whatever arrives.
#include "client/client_engine.h"

#include <gtest/gtest.h>

#include "unit/client/client_fixture.h"

namespace mcplane::client {
namespace {

TEST_F(ClientEngineTest, SendFillsTheHeader) {
  SendRequest task = request(7, 1'234);
  task.flags = wire::with_priority(raw(wire::Flag::Idempotent), 2);
  task.trace_id.fill(9);
  task.parent_span.fill(8);
  ASSERT_EQ(engine_.send(task, now_, out_), SendStatus::kSent);
  const auto sent = take_one(out_, FrameType::Send);
  const auto& header = sent.header();
  EXPECT_EQ(sent.to, shard_of(life_));
  EXPECT_EQ(header.boot_id(), life_.boot_id);
  EXPECT_EQ(header.session(), life_.session);
  EXPECT_EQ(header.sequence(), 1U);
  EXPECT_LT(header.slot(), 4U);
  EXPECT_EQ(header.ttl_ms(), 1'234U);
  EXPECT_EQ(header.flags(), task.flags);
  EXPECT_EQ(header.table_length(), table_.size());
  EXPECT_EQ(header.message_length(), table_.size() + payload_.size());
  EXPECT_EQ(wire::task_id_of(header), task.task_id);
  EXPECT_EQ(header.trace_id()->Get(15), 9);
  EXPECT_EQ(header.parent_span()->Get(7), 8);
  EXPECT_EQ(wire::read_route_table(wire::table_of(sent.frame.bytes()))->action, "generate");
  EXPECT_EQ(wire::read_task_payload(wire::payload_of(sent.frame.bytes()))->prompt, "hi");
}

TEST_F(ClientEngineTest, DeliverCompletesOnce) {
  const auto sent = send(42);
  const auto outcome = test::deliver(sent.bytes(), answer_);
  receive(outcome);
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].context, 42U);
  EXPECT_TRUE(done_[0].delivered);
  EXPECT_EQ(done_[0].reason, wire::Reason::Ok);
  EXPECT_EQ(done_[0].worker_session, 0x00300003U);
  EXPECT_EQ(done_[0].queued_us, 10U);
  EXPECT_EQ(done_[0].worker_us, 20U);
  EXPECT_EQ(done_[0].broker_us, 30U);
  EXPECT_EQ(done_[0].sent_ns, kStart);
  EXPECT_EQ(wire::read_answer(done_[0].payload), "hello");
  EXPECT_EQ(engine_.in_flight(), 0U);
  receive(outcome);
  EXPECT_EQ(done_.size(), 1U);
  EXPECT_EQ(engine_.duplicates(), 1U);
}

TEST_F(ClientEngineTest, WorkerErrorAndTooLargeAreDelivered) {
  for (const auto reason : {wire::Reason::WorkerError, wire::Reason::TooLarge}) {
    receive(test::deliver(send(1).bytes(), answer_, reason));
    const auto done = take_done();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_TRUE(done[0].delivered);
    EXPECT_EQ(done[0].reason, reason);
  }
}

TEST_F(ClientEngineTest, RejectSaysWhyAndWhenToRetry) {
  receive(test::reject(send(5).bytes(), wire::Reason::QueueFull, wire::Executed::No, 250));
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_FALSE(done_[0].delivered);
  EXPECT_EQ(done_[0].reason, wire::Reason::QueueFull);
  EXPECT_EQ(done_[0].executed, wire::Executed::No);
  EXPECT_EQ(done_[0].retry_after_ms, 250U);
  EXPECT_TRUE(done_[0].payload.empty());
}

TEST_F(ClientEngineTest, SlotIsReusedLastInFirstOutWithTheNextSequence) {
  std::uint16_t slot = 0;
  for (std::uint32_t sequence = 1; sequence <= 5; ++sequence) {
    const auto sent = send(sequence);
    const auto& header = wire::header_of(sent.bytes());
    if (sequence == 1) slot = header.slot();
    EXPECT_EQ(header.slot(), slot);
    EXPECT_EQ(header.sequence(), sequence);
    receive(test::deliver(sent.bytes(), answer_));
  }
  EXPECT_EQ(done_.size(), 5U);
}

TEST_F(ClientEngineTest, OutcomeOfAnEarlierExchangeIsADuplicate) {
  const auto first = send(1);
  receive(test::deliver(first.bytes(), answer_));
  const auto second = send(2);
  receive(test::deliver(first.bytes(), answer_));
  EXPECT_EQ(take_done().size(), 1U);
  EXPECT_EQ(engine_.duplicates(), 1U);
  EXPECT_EQ(engine_.in_flight(), 1U);
  receive(test::deliver(second.bytes(), answer_));
  EXPECT_EQ(take_done().at(0).context, 2U);
}

TEST_F(ClientEngineTest, SlotsRunOut) {
  for (std::uint64_t i = 0; i < 4; ++i) send(i);
  EXPECT_EQ(engine_.slots_free(), 0U);
  EXPECT_EQ(engine_.send(request(9), now_, out_), SendStatus::kNoSlot);
  EXPECT_TRUE(out_.empty());
}

TEST_F(ClientEngineTest, BrokerMayGrantFewerSlots) {
  ClientEngine engine(kBroker, client_hello(4), kMtuBytes, Random(1));
  engine.start(now_, out_);
  engine.on_datagram(test::retry(1).bytes(), kBroker, now_, out_, done_);
  engine.on_datagram(test::welcome({.slot_limit = 2}).bytes(), kBroker, now_, out_, done_);
  EXPECT_EQ(engine.slots_free(), 2U);
}

TEST_F(ClientEngineTest, WhatFitsNoFrameGoesInParts) {
  const std::vector<std::byte> most(1500 - 28 - wire::kLeadBytes - table_.size());
  const std::vector<std::byte> more(most.size() + 1);
  SendRequest task = request(1);
  task.payload = more;
  EXPECT_EQ(engine_.send(task, now_, out_), SendStatus::kSent);
  const auto first = take_one(out_, FrameType::Send);
  EXPECT_EQ(first.frame.bytes().size(), 1472U);
  EXPECT_EQ(first.header().message_length(), 1472U - wire::kLeadBytes + 1);
  const std::vector<std::byte> too_much(wire::kMessageBytesMax);
  task.payload = too_much;
  EXPECT_EQ(engine_.send(task, now_, out_), SendStatus::kTooLarge);
  task.payload = most;
  EXPECT_EQ(engine_.send(task, now_, out_), SendStatus::kSent);
  EXPECT_EQ(take_one(out_, FrameType::Send).frame.bytes().size(), 1472U);
}

TEST_F(ClientEngineTest, NothingIsSentUnregisteredOrIntoAFullOutbox) {
  ClientEngine fresh(kBroker, client_hello(), kMtuBytes, Random(1));
  EXPECT_EQ(fresh.send(request(1), now_, out_), SendStatus::kNotRegistered);
  while (!out_.full()) out_.commit(wire::kLeadBytes, kBroker);
  EXPECT_EQ(engine_.send(request(1), now_, out_), SendStatus::kOutboxFull);
  EXPECT_EQ(engine_.slots_free(), 4U);
}

TEST_F(ClientEngineTest, SendWithoutOutcomeEndsAtTtlPlusGrace) {
  send(3, 1'000);
  const std::uint64_t deadline = kStart + 1'000 * kMs + kGraceNs;
  pass_until(deadline - 1);
  EXPECT_TRUE(done_.empty());
  pass_until(deadline);
  ASSERT_EQ(done_.size(), 1U);
  EXPECT_EQ(done_[0].context, 3U);
  EXPECT_EQ(done_[0].reason, wire::Reason::Expired);
  EXPECT_EQ(done_[0].executed, wire::Executed::Maybe);
  EXPECT_EQ(engine_.in_flight(), 0U);
}

TEST_F(ClientEngineTest, NoSendEndsLaterThanTtlPlusGraceNorMuchEarlier) {
  const std::vector<std::uint32_t> ttls = {5'000, 20, 1'003, 1'000};
  for (const auto ttl : ttls) send(ttl, ttl);
  std::size_t ended = 0;
  while (ended < ttls.size()) {
    pass_until(engine_.next_timer_ns());
    for (const auto& done : take_done()) {
      const std::uint64_t deadline = kStart + done.context * kMs + kGraceNs;
      EXPECT_LE(now_, deadline);
      EXPECT_GE(now_ + 10 * kMs, deadline);
      ++ended;
    }
  }
}

TEST_F(ClientEngineTest, ForeignAndUnsoundDatagramsChangeNothing) {
  const auto sent = send(1);
  const auto good = test::deliver(sent.bytes(), answer_);
  const auto altered = [&](auto change) {
    Frame frame(good.bytes());
    change(frame.header());
    return frame;
  };
  const wire::Endpoint stranger{wire::IpAddress::v4({10, 0, 0, 9}), 4801};
  receive(good, stranger);
  receive(good, {kBroker.ip, 999});
  receive(altered([](auto& header) { header.mutate_boot_id(1); }));
  receive(altered([](auto& header) { header.mutate_session(1); }));
  receive(altered([](auto& header) { header.mutate_slot(60'000); }));
  receive(altered([](auto& header) { header.mutate_sequence(2); }));
  receive(altered([](auto& header) { header.mutate_version(9); }));
  receive(altered([](auto& header) { header.mutate_message_length(3); }));
  receive(Frame(sent.bytes()));  // a SEND, come back
  EXPECT_TRUE(done_.empty());
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(engine_.dropped(), 9U);
  EXPECT_EQ(engine_.in_flight(), 1U);
  receive(good);
  EXPECT_EQ(done_.size(), 1U);
}

TEST_F(ClientEngineTest, CloseSaysByeAndEndsEverything) {
  send(1);
  send(2);
  engine_.close(now_, out_, done_);
  take_one(out_, FrameType::Bye);
  ASSERT_EQ(done_.size(), 2U);
  EXPECT_TRUE(done_[0].broker_lost);
  EXPECT_EQ(engine_.send(request(3), now_, out_), SendStatus::kNotRegistered);
  EXPECT_EQ(engine_.next_timer_ns(), ~0ULL);
}

}  // namespace
}  // namespace mcplane::client
