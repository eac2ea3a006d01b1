// See spans.h. Attributes: OpenTelemetry semantic conventions 1.27, messaging.
#include "client/spans.h"

#include <bit>
#include <chrono>
#include <cstdio>

#include "base/types.h"

namespace mcplane::client {
namespace {

wire::SpanId random_span(Random& random) noexcept { return std::bit_cast<wire::SpanId>(random.next() | 1U); }

// Random in all its bits, and says so; never all 0.
wire::TraceParent new_trace(Random& random) noexcept {
  const std::array<std::uint64_t, 2> words = {random.next() | 1U, random.next()};
  return {.trace_id = std::bit_cast<wire::Id16>(words), .span = {}, .flags = raw(wire::Flag::RandomTrace)};
}

TraceHere own_span(const wire::TraceParent& came, double sample, Random& random) {
  TraceHere here{.own = came, .parent = came.span};
  here.own.span = random_span(random);
  if (wire::is_taken(came.trace_id.data(), wire::sample_from(sample))) here.own.flags |= raw(wire::Flag::Sampled);
  return here;
}

std::uint64_t unix_ns() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

std::string node_text(std::uint32_t node) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", node);
  return text;
}

std::int64_t count_of(std::chrono::microseconds time) { return time.count(); }

Span span_of(const TraceHere& trace, std::string_view operation, std::string_view action, std::uint64_t taken_ns) {
  Span span;
  span.trace_id = trace.own.trace_id;
  span.span_id = trace.own.span;
  span.parent_id = trace.parent;
  span.sampled = trace.own.sampled();
  span.name = std::string(operation) + " " + std::string(action);
  span.end_unix_ns = unix_ns();
  span.start_unix_ns = span.end_unix_ns - taken_ns;
  span.attributes = {{"messaging.system", std::string("mcplane")},
                     {"messaging.operation.name", std::string(operation)},
                     {"messaging.operation.type", std::string(operation)},
                     {"messaging.destination.name", std::string(action)}};
  return span;
}

}  // namespace

TraceHere begin_trace(std::string_view traceparent, double sample, Random& random) {
  const auto came = wire::parse_traceparent(traceparent);
  return own_span(came ? *came : new_trace(random), sample, random);
}

TraceHere continue_trace(const wire::TraceParent& came, double sample, Random& random) {
  return own_span(came.trace_id == wire::Id16{} ? new_trace(random) : came, sample, random);
}

bool is_told(const TraceOptions& options, const TraceHere& trace, bool ok, std::uint64_t taken_ns) noexcept {
  const auto slow_ns = static_cast<std::uint64_t>(options.slow.count()) * kNsPerUs;
  return options.on_span && (trace.own.sampled() || !ok || (slow_ns > 0 && taken_ns >= slow_ns));
}

Span send_span(const TraceHere& trace, const Outcome& outcome, std::string_view action, std::uint32_t node,
               std::uint64_t taken_ns) {
  Span span = span_of(trace, "send", action, taken_ns);
  span.kind = SpanKind::kProducer;
  span.attributes.insert(span.attributes.end(), {{"messaging.message.id", outcome.task_id},
                                                 {"messaging.client.id", node_text(node)},
                                                 {"mcplane.outcome", std::string(to_string(outcome.kind))},
                                                 {"mcplane.executed", std::string(to_string(outcome.executed))},
                                                 {"mcplane.attempt", std::int64_t{outcome.attempt}},
                                                 {"mcplane.queued_us", count_of(outcome.timing.queued)},
                                                 {"mcplane.broker_us", count_of(outcome.timing.broker)},
                                                 {"mcplane.worker_us", count_of(outcome.timing.worker)}});
  if (outcome.worker_node != 0) span.attributes.emplace_back("mcplane.worker.node", node_text(outcome.worker_node));
  if (!outcome.degraded.empty()) span.attributes.emplace_back("mcplane.degraded", outcome.degraded);
  if (!outcome.ok()) span.error = outcome.reason.empty() ? std::string(to_string(outcome.kind)) : outcome.reason;
  return span;
}

Span process_span(const TraceHere& trace, const Handled& handled) {
  Span span = span_of(trace, "process", handled.task.action, handled.taken_ns);
  span.kind = SpanKind::kConsumer;
  span.attributes.insert(span.attributes.end(),
                         {{"messaging.message.id", handled.task.id},
                          {"messaging.client.id", node_text(handled.node)},
                          {"mcplane.attempt", std::int64_t{handled.attempt}},
                          {"mcplane.waited_us", static_cast<std::int64_t>(handled.waited_ns / kNsPerUs)}});
  if (!handled.task.model.empty()) span.attributes.emplace_back("mcplane.model", handled.task.model);
  if (handled.task.shadow) span.attributes.emplace_back("mcplane.shadow", true);
  if (handled.error) span.error = "worker_error";
  return span;
}

}  // namespace mcplane::client
