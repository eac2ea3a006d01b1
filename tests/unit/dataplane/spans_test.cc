// Which tasks are told of to control for their traces, and what the record says.
#include "dataplane/spans.h"

#include "unit/dataplane/dataplane_test.h"

namespace mcplane::dataplane {
namespace {

using state::SpanRecord;
using wire::Flag;

class SpansTest : public PairTest {
 protected:
  SpansTest() { options.traces = true; }

  FrameSpec traced(std::uint16_t slot, std::uint16_t flags = 0, std::uint32_t ttl_ms = 1000) {
    return edited(rig().send_spec(*client, slot, 1, ttl_ms), [flags, slot](wire::Header& header) {
      header.mutate_flags(static_cast<std::uint16_t>(header.flags() | flags));
      for (std::uint8_t i = 0; i < 16; ++i) header.mutable_trace_id()->Mutate(i, static_cast<std::uint8_t>(slot + i));
      for (std::uint8_t i = 0; i < 8; ++i) header.mutable_parent_span()->Mutate(i, static_cast<std::uint8_t>(0xa0 + i));
    });
  }
  std::vector<SpanRecord> records() {
    std::array<SpanRecord, 128> taken;
    const std::size_t count = rig().shared.shards[0]->spans->ring.pop(std::span(taken));
    return {taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(count)};
  }
  SpanRecord only_record() {
    const auto all = records();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? SpanRecord{} : all[0];
  }
  static std::string_view action_of(const SpanRecord& record) { return {record.action.data(), record.action_length}; }
  void set_sample(double share) { rig().shared.trace.sample_from = wire::sample_from(share); }
};

TEST_F(SpansTest, ASampledTaskIsToldOfWhenItsAnswerLeaves) {
  start(4);
  const Sent routed = only(exchange(traced(3, raw(Flag::Sampled))), FrameType::Route);
  EXPECT_TRUE(records().empty());
  rig().advance_ms(7);
  const Sent delivered = only(finish(routed), FrameType::Deliver);
  EXPECT_TRUE(wire::has(delivered.header().flags(), Flag::Sampled));
  const SpanRecord record = only_record();
  EXPECT_EQ(record.trace.trace_id[0], 3);
  EXPECT_EQ(record.trace.parent[0], 0xa0);
  EXPECT_EQ(record.trace.task_id, wire::task_id_of(routed.header()));
  EXPECT_EQ(record.client, client->session);
  EXPECT_EQ(record.worker, worker->session);
  EXPECT_EQ(record.attempt, 1);
  EXPECT_EQ(action_of(record), "generate");
  EXPECT_FALSE(record.failed());
  EXPECT_EQ(record.routed_ns, record.received_ns);
  EXPECT_LE(record.routed_ns, record.left_ns);
  EXPECT_GE(record.answered_ns, record.received_ns + 7 * kNsPerMs);
  EXPECT_EQ(record.ended_ns, record.answered_ns + rig().loop_ns);
}

TEST_F(SpansTest, ItsRouteNamesTheAttemptAsParent) {
  start(4);
  const Sent plain = only(exchange(traced(0)), FrameType::Route);
  EXPECT_EQ(plain.header().parent_span()->Get(0), 0xa0);
  const Sent routed = only(exchange(traced(1, raw(Flag::Sampled))), FrameType::Route);
  wire::TaskTrace trace = wire::trace_of(routed.header());
  const wire::SpanId parent = trace.parent;
  for (std::uint8_t i = 0; i < 8; ++i) trace.parent[i] = static_cast<std::uint8_t>(0xa0 + i);
  EXPECT_EQ(parent, wire::span_id(trace, wire::BrokerSpan::kAttempt, 1));
}

TEST_F(SpansTest, OthersAreNot) {
  start(4);
  finish(only(exchange(traced(0)), FrameType::Route));
  EXPECT_TRUE(records().empty());
}

TEST_F(SpansTest, AShareOfAllIsSampledHereAndItsWorkerAndClientHearSo) {
  start(4);
  set_sample(1);
  const Sent routed = only(exchange(traced(0)), FrameType::Route);
  EXPECT_TRUE(wire::has(routed.header().flags(), Flag::Sampled));
  const Sent delivered = only(finish(routed), FrameType::Deliver);
  EXPECT_TRUE(wire::has(delivered.header().flags(), Flag::Sampled));
  EXPECT_TRUE(wire::has(only_record().flags, Flag::Sampled));
}

TEST_F(SpansTest, WhatTakesTooLongIsToldOf) {
  start(4);
  rig().shared.trace.slow_ns = 5 * kNsPerMs;
  Sent routed = only(exchange(traced(0)), FrameType::Route);
  rig().advance_ms(4);
  finish(routed);
  EXPECT_TRUE(records().empty());
  routed = only(exchange(traced(1)), FrameType::Route);
  rig().advance_ms(5);
  finish(routed);
  EXPECT_EQ(only_record().trace.trace_id[0], 1);
}

TEST_F(SpansTest, FailuresAreToldOfWithTheirReason) {
  start(1);
  after_ms(5);
  const Sent routed = only(exchange(traced(0, 0, 20)), FrameType::Route);
  exchange(traced(1, 0, 10));  // waits
  after_ms(15);
  SpanRecord record = only_record();
  EXPECT_EQ(record.reason, Reason::Expired);
  EXPECT_EQ(record.trace.trace_id[0], 1);
  EXPECT_EQ(record.routed_ns, 0U);
  EXPECT_EQ(record.attempt, 0);
  after_ms(10);
  record = only_record();
  EXPECT_EQ(record.reason, Reason::Expired);
  EXPECT_EQ(record.trace.trace_id[0], 0);
  EXPECT_EQ(record.worker, worker->session);
  EXPECT_EQ(record.answered_ns, 0U);
  EXPECT_GT(record.routed_ns, 0U);
}

TEST_F(SpansTest, ARefusedSendIsToldOfWithWhatItAskedFor) {
  client = &rig().add_client();
  rig().publish();
  step();
  exchange(traced(5));
  const SpanRecord record = only_record();
  EXPECT_EQ(record.reason, Reason::NoWorker);
  EXPECT_EQ(record.trace.trace_id[0], 5);
  EXPECT_EQ(action_of(record), "generate");
  EXPECT_EQ(record.client, client->session);
}

TEST_F(SpansTest, AnAttemptWhoseWorkerIsLostHasARecordOfItsOwn) {
  start(1);
  only(exchange(traced(0, raw(Flag::Idempotent))), FrameType::Route);
  const SessionId first = worker->session;
  Peer& other = rig().add_worker(1);
  rig().withdraw(*worker);
  rig().publish();
  rig().end_session(*worker);
  const Sent resend = only(run_out(), FrameType::Resend);
  SpanRecord record = only_record();
  EXPECT_TRUE(record.attempt_only);
  EXPECT_EQ(record.reason, Reason::WorkerLost);
  EXPECT_EQ(record.worker, first);
  const Sent again = only(exchange(rig().pulled_spec(*client, resend.header())), FrameType::Route);
  EXPECT_TRUE(wire::has(again.header().flags(), Flag::Sampled));
  exchange(rig().result_spec(other, again.header()));
  record = only_record();
  EXPECT_FALSE(record.attempt_only);
  EXPECT_EQ(record.attempt, 2);
  EXPECT_EQ(record.worker, other.session);
}

TEST_F(SpansTest, MoreThanALoopsShareAreDroppedAndCounted) {
  options.burst = 64;
  start(1);
  route(200);  // keeps the worker busy
  constexpr std::uint16_t kWaiting = 100;
  for (std::uint16_t slot = 0; slot < kWaiting; ++slot) rig().send(traced(slot, 0, 500));
  rig().settle();
  rig().end_session(*client);
  rig().settle();
  rig().take_sent();
  const std::size_t told = records().size();
  EXPECT_EQ(told + rig().shared.shards[0]->spans->dropped.read(), kWaiting + 1U);
}

TEST_F(SpansTest, AFullRingCostsRecordsAndNothingElse) {
  client = &rig().add_client();
  rig().publish();
  step();
  std::uint64_t sent = 0;
  for (std::uint32_t round = 1; round <= 10; ++round)
    for (std::uint16_t slot = 0; slot < 128; ++slot, ++sent) {
      FrameSpec spec = traced(slot);
      spec = edited(std::move(spec), [round](wire::Header& header) { header.mutate_sequence(round); });
      only(exchange(spec), FrameType::Reject);
    }
  EXPECT_EQ(sent - rig().shared.shards[0]->spans->dropped.read(), state::SpanMailbox::kSlots);
}

TEST_F(SpansTest, WithoutTracesNothingIsKept) {
  options.traces = false;
  start(4);
  finish(only(exchange(traced(0, raw(Flag::Sampled))), FrameType::Route));
  EXPECT_EQ(rig().shared.shards[0]->spans, nullptr);
}

}  // namespace
}  // namespace mcplane::dataplane
