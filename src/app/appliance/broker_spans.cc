// See broker_spans.h. Attributes: OpenTelemetry semantic conventions 1.27, messaging.
#include "app/appliance/broker_spans.h"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace mcplane::app {
namespace {

using state::SpanRecord;
using wire::BrokerSpan;

std::string node_text(SessionId node) { return fmt::format("{:08x}", node.value); }

class Builder {
 public:
  Builder(const control::TracedTask& task, std::uint64_t offset_ns)
      : task_(task),
        record_(task.record),
        offset_ns_(offset_ns),
        // The session that is not known any more is the client's own.
        reason_(record_.reason == wire::Reason::UnknownSession ? "client_lost" : wire::reason_word(record_.reason)),
        action_(record_.action.data(), record_.action_length),
        // A client that begins no trace has the task's own id for one.
        trace_id_(record_.trace.trace_id != wire::Id16{} ? record_.trace.trace_id : record_.trace.task_id) {}

  std::vector<Span> build() && {
    if (record_.attempt_only) {
      add_attempt();
      return std::move(spans_);
    }
    add_receive();
    if (record_.routed_ns > 0) add(BrokerSpan::kQueue, "queue", record_.received_ns, record_.routed_ns);
    if (record_.attempt > 0 && record_.worker) add_attempt();
    if (record_.answered_ns > 0) add(BrokerSpan::kDeliver, "deliver", record_.answered_ns, record_.ended_ns);
    return std::move(spans_);
  }

 private:
  Span& add(BrokerSpan which, std::string_view name, std::uint64_t start_ns, std::uint64_t end_ns) {
    Span& span = spans_.emplace_back();
    span.trace_id = trace_id_;
    span.span_id = wire::span_id(record_.trace, which, which == BrokerSpan::kAttempt ? record_.attempt : 0);
    span.parent_id = wire::span_id(record_.trace, BrokerSpan::kReceive);
    span.sampled = wire::has(record_.flags, wire::Flag::Sampled);
    span.name = std::string(name) + (action_.empty() ? "" : " ") + action_;
    span.start_unix_ns = start_ns + offset_ns_;
    span.end_unix_ns = end_ns + offset_ns_;
    span.attributes = {{"messaging.system", std::string("mcplane")}, {"messaging.operation.name", std::string(name)}};
    if (!action_.empty()) span.attributes.emplace_back("messaging.destination.name", action_);
    return span;
  }

  void add_receive() {
    Span& span = add(BrokerSpan::kReceive, "receive", record_.received_ns, record_.ended_ns);
    span.kind = SpanKind::kConsumer;
    span.parent_id = record_.trace.trace_id != wire::Id16{} ? record_.trace.parent : wire::SpanId{};
    span.attributes.insert(span.attributes.end(), {{"messaging.operation.type", std::string("receive")},
                                                   {"messaging.message.id", wire::hex(record_.trace.task_id)},
                                                   {"mcplane.client.node", node_text(record_.client)},
                                                   {"mcplane.shard", std::int64_t{raw(task_.shard)}},
                                                   {"mcplane.attempts", std::int64_t{record_.attempt}},
                                                   {"mcplane.priority", std::int64_t{wire::priority_of(record_.flags)}},
                                                   {"mcplane.reason", reason_}});
    if (!task_.client.empty()) span.attributes.emplace_back("mcplane.client.name", task_.client);
    if (wire::is_shadow(record_.flags)) span.attributes.emplace_back("mcplane.shadow", true);
    if (record_.substitute != wire::Substitute::None)
      span.attributes.emplace_back("mcplane.degraded", std::string(wire::kSubstituteNames[raw(record_.substitute)]));
    if (record_.failed()) span.error = reason_;
  }

  void add_attempt() {
    const std::uint64_t end_ns = record_.answered_ns > 0 ? record_.answered_ns : record_.ended_ns;
    Span& span = add(BrokerSpan::kAttempt, "route", record_.routed_ns, end_ns);
    span.kind = SpanKind::kProducer;
    span.attributes.insert(span.attributes.end(), {{"messaging.operation.type", std::string("send")},
                                                   {"mcplane.attempt", std::int64_t{record_.attempt}},
                                                   {"mcplane.worker.node", node_text(record_.worker)},
                                                   {"mcplane.broker_us", us(record_.left_ns - record_.routed_ns)}});
    if (record_.answered_ns > 0) span.attributes.emplace_back("mcplane.worker_us", std::int64_t{record_.worker_us});
    if (!task_.worker.empty()) span.attributes.emplace_back("mcplane.worker.name", task_.worker);
    if (record_.failed()) span.error = reason_;
  }

  static std::int64_t us(std::uint64_t ns) { return static_cast<std::int64_t>(ns / kNsPerUs); }

  const control::TracedTask& task_;
  const SpanRecord& record_;
  const std::uint64_t offset_ns_;
  const std::string reason_, action_;
  const wire::Id16 trace_id_;
  std::vector<Span> spans_;
};

}  // namespace

std::vector<Span> broker_spans(const control::TracedTask& task, std::uint64_t offset_ns) {
  return Builder(task, offset_ns).build();
}

void BrokerSpans::take(control::TracedTask task) {
  // Looked at anew each time: the clocks drift apart by microseconds a second.
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const auto unix_ns = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
  for (Span& span : broker_spans(task, unix_ns - clock_())) exporter_.add(std::move(span));
}

control::SpanCounts BrokerSpans::counts() const {
  const ExportCounts counts = exporter_.counts();
  return {counts.exported, counts.dropped_full, counts.dropped_refused, counts.dropped_unreachable};
}

}  // namespace mcplane::app
