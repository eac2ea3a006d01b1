// See spans.h. Out of line: what is here runs for tasks that are traced.
#include "dataplane/spans.h"

#include <algorithm>

#include "dataplane/shard.h"

namespace mcplane::dataplane {
namespace {

constexpr bool is_sampled(std::uint16_t flags) noexcept { return wire::has(flags, wire::Flag::Sampled); }

void set_action(state::SpanRecord& record, std::string_view action) noexcept {
  record.action_length = static_cast<std::uint8_t>(std::min(action.size(), record.action.size()));
  std::copy_n(action.begin(), record.action_length, record.action.begin());
}

state::SpanRecord record_of(const Shard& shard, const Task& task, wire::Reason reason) noexcept {
  state::SpanRecord record;
  record.received_ns = shard.now_ns - task.elapsed_ns(shard.task_clock);
  if (task.attempt > 0) {
    record.routed_ns = record.received_ns + task.queued_us * kNsPerUs;
    record.left_ns = record.routed_ns + task.route_leg_us * kNsPerUs;
  }
  record.client = task.client;
  record.worker = task.worker_session;
  record.flags = task.sent_flags();
  record.reason = reason;
  record.attempt = task.attempt;
  return record;
}

}  // namespace

void Spans::mark(const Task& task, std::uint32_t index, wire::Header& route) const noexcept {
  const wire::SpanId span = wire::span_id(kept_[index].trace, wire::BrokerSpan::kAttempt, task.attempt);
  std::memcpy(route.mutable_parent_span()->Data(), span.data(), span.size());
  route.mutate_flags(static_cast<std::uint16_t>(route.flags() | raw(wire::Flag::Sampled)));
}

void Spans::add(std::uint32_t index, state::SpanRecord& record, const RouteCache& routes) noexcept {
  const Kept& kept = kept_[index];
  record.trace = kept.trace;
  set_action(record, routes.action_of(kept.asked));
  add(record);
}

void Spans::add(const state::SpanRecord& record) noexcept {
  if (count_ == kPerLoop) return mailbox_->dropped.add();
  records_[count_++] = record;
}

void Spans::flush(std::uint64_t stamp_ns) noexcept {
  const auto records = std::span(records_).first(count_);
  for (state::SpanRecord& record : records) record.ended_ns = stamp_ns;
  mailbox_->dropped.add(count_ - mailbox_->ring.push(records));
  count_ = 0;
}

void trace_result(Shard& shard, const Task& task, const wire::Header& result) noexcept {
  if (!shard.spans.on() || task.mirror) return;
  state::SpanRecord record = record_of(shard, task, result.reason());
  record.answered_ns = shard.now_ns;
  record.worker_us = result.worker_us();
  shard.spans.add(shard.tasks.index_of(task), record, shard.routes);
}

void trace_end(Shard& shard, const Task& task, wire::Reason reason, wire::Substitute substitute) noexcept {
  const bool wanted = shard.spans.on() && !task.mirror && (reason != wire::Reason::Ok || is_sampled(task.flags));
  if (!wanted) return;
  state::SpanRecord record = record_of(shard, task, reason);
  record.substitute = substitute;
  shard.spans.add(shard.tasks.index_of(task), record, shard.routes);
}

void trace_attempt(Shard& shard, Task& task, wire::Reason reason) noexcept {
  if (!shard.spans.on() || task.mirror) return;
  task.flags = static_cast<std::uint16_t>(task.flags | raw(wire::Flag::Sampled));
  state::SpanRecord record = record_of(shard, task, reason);
  record.attempt_only = true;
  shard.spans.add(shard.tasks.index_of(task), record, shard.routes);
}

void trace_send(Shard& shard, const net::Packet& packet, const Frame& frame, wire::Reason reason,
                wire::Substitute substitute) noexcept {
  const wire::Header& send = *frame.header;
  const std::uint16_t flags = shard.spans.flags_of(send);
  if (reason == wire::Reason::Ok && !is_sampled(flags)) return;
  state::SpanRecord record;
  record.trace = wire::trace_of(send);
  record.received_ns = shard.now_ns;
  record.client = {send.session()};
  record.flags = flags;
  record.reason = reason;
  record.substitute = substitute;
  const auto datagram = packet.bytes().subspan(frame.ip.payload_offset, frame.ip.payload_length);
  if (const auto selector = wire::read_route_table(wire::table_of(datagram))) set_action(record, selector->action);
  shard.spans.add(record);
}

}  // namespace mcplane::dataplane
