// The spans that are made of a core's record.
#include "app/appliance/broker_spans.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace mcplane::app {
namespace {

using wire::BrokerSpan;
using wire::Reason;

constexpr std::uint64_t kOffset = 1'000'000;

control::TracedTask answered() {
  control::TracedTask task;
  state::SpanRecord& record = task.record;
  record.trace.task_id.fill(1);
  record.trace.trace_id.fill(2);
  record.trace.parent.fill(3);
  record.received_ns = 100;
  record.routed_ns = 150;
  record.left_ns = 2'160;
  record.answered_ns = 5'000;
  record.ended_ns = 5'010;
  record.client = {0x1a};
  record.worker = {0x2b};
  record.worker_us = 2;
  record.attempt = 1;
  record.flags = raw(wire::Flag::Sampled);
  constexpr std::string_view kAction = "generate";
  std::ranges::copy(kAction, record.action.begin());
  record.action_length = kAction.size();
  task.shard = ShardId{3};
  task.client = "agent";
  task.worker = "gpu";
  return task;
}

std::map<std::string, Span> by_name(const control::TracedTask& task) {
  std::map<std::string, Span> named;
  for (Span& span : broker_spans(task, kOffset)) named.emplace(span.name, span);
  return named;
}

std::string text(const Span& span, const std::string& key) {
  for (const auto& [name, value] : span.attributes)
    if (name == key) {
      if (const auto* const number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
      return std::get<std::string>(value);
    }
  return "none";
}

TEST(BrokerSpans, ATaskThatWasAnsweredHasFour) {
  const control::TracedTask task = answered();
  const auto spans = by_name(task);
  ASSERT_EQ(spans.size(), 4U);
  const Span& receive = spans.at("receive generate");
  EXPECT_EQ(receive.parent_id, task.record.trace.parent);
  EXPECT_EQ(receive.trace_id, task.record.trace.trace_id);
  EXPECT_EQ(receive.kind, SpanKind::kConsumer);
  EXPECT_EQ(receive.start_unix_ns, 100 + kOffset);
  EXPECT_EQ(receive.end_unix_ns, 5'010 + kOffset);
  EXPECT_EQ(text(receive, "mcplane.client.name"), "agent");
  EXPECT_EQ(text(receive, "mcplane.client.node"), "0000001a");
  EXPECT_EQ(text(receive, "mcplane.shard"), "3");
  EXPECT_EQ(text(receive, "messaging.system"), "mcplane");
  EXPECT_EQ(text(receive, "messaging.destination.name"), "generate");
  EXPECT_EQ(text(receive, "messaging.message.id"), "01010101010101010101010101010101");
  for (const auto& [name, span] : spans) {
    EXPECT_TRUE(span.sampled);
    EXPECT_EQ(span.error, "");
    EXPECT_GE(span.start_unix_ns, receive.start_unix_ns);
    EXPECT_LE(span.end_unix_ns, receive.end_unix_ns);
    EXPECT_EQ(span.parent_id, name == receive.name ? task.record.trace.parent : receive.span_id);
  }
  const Span& route = spans.at("route generate");
  EXPECT_EQ(route.span_id, wire::span_id(task.record.trace, BrokerSpan::kAttempt, 1));
  EXPECT_EQ(route.kind, SpanKind::kProducer);
  EXPECT_EQ(route.start_unix_ns, 150 + kOffset);
  EXPECT_EQ(route.end_unix_ns, 5'000 + kOffset);
  EXPECT_EQ(text(route, "mcplane.worker.name"), "gpu");
  EXPECT_EQ(text(route, "mcplane.broker_us"), "2");
  EXPECT_EQ(text(route, "mcplane.worker_us"), "2");
  EXPECT_EQ(spans.at("queue generate").end_unix_ns, route.start_unix_ns);
  EXPECT_EQ(spans.at("deliver generate").start_unix_ns, route.end_unix_ns);
}

TEST(BrokerSpans, ARefusedOneHasOneWithItsReason) {
  control::TracedTask task = answered();
  task.record.routed_ns = task.record.left_ns = task.record.answered_ns = 0;
  task.record.attempt = 0;
  task.record.worker = {};
  task.record.reason = Reason::QueueFull;
  task.record.action_length = 0;
  const auto spans = by_name(task);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans.at("receive").error, "queue_full");
  EXPECT_EQ(text(spans.at("receive"), "messaging.destination.name"), "none");
}

TEST(BrokerSpans, OneThatExpiredAtItsWorkerEndsWithItsAttempt) {
  control::TracedTask task = answered();
  task.record.answered_ns = 0;
  task.record.reason = Reason::Expired;
  const auto spans = by_name(task);
  ASSERT_EQ(spans.size(), 3U);
  EXPECT_EQ(spans.at("route generate").end_unix_ns, 5'010 + kOffset);
  EXPECT_EQ(spans.at("route generate").error, "expired");
  EXPECT_EQ(text(spans.at("route generate"), "mcplane.worker_us"), "none");
}

TEST(BrokerSpans, AnAttemptThatFailedAlone) {
  control::TracedTask task = answered();
  task.record.attempt_only = true;
  task.record.answered_ns = 0;
  task.record.reason = Reason::WorkerLost;
  const auto spans = broker_spans(task, kOffset);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].error, "worker_lost");
  EXPECT_EQ(spans[0].parent_id, wire::span_id(task.record.trace, BrokerSpan::kReceive));
}

TEST(BrokerSpans, AClientWithoutTracesGetsOneByItsTasksId) {
  control::TracedTask task = answered();
  task.record.trace.trace_id = {};
  task.record.trace.parent = {};
  for (const Span& span : broker_spans(task, kOffset)) EXPECT_EQ(span.trace_id, task.record.trace.task_id);
  EXPECT_EQ(by_name(task).at("receive generate").parent_id, wire::SpanId{});
}

}  // namespace
}  // namespace mcplane::app
