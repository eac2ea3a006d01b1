// The control thread's part in traces: takes the cores' records, tells them to the sink, and says which tasks failed
// where somebody wants to know. Nothing here knows a prompt.
#include <array>
#include <span>

#include "control/control.h"
#include "control/cores/span_sink.h"

namespace mcplane::control {
namespace {

constexpr std::size_t kSpanBurst = 32;
// Of each shard, a poll: some 0.3 ms for what a sink makes of them. What comes faster is dropped at the ring.
constexpr std::size_t kSpansPerPoll = 128;

}  // namespace

std::string Control::name_of_session(SessionId id) {
  const Session* const session = registry_.find(id);
  return session != nullptr ? session->hello.name : std::string();
}

void Control::hear_spans(ShardId shard) {
  state::SpanMailbox* const spans = shared_.shards[raw(shard)]->spans.get();
  if (spans == nullptr) return;
  std::array<state::SpanRecord, kSpanBurst> burst;
  for (std::size_t taken = 0; taken < kSpansPerPoll;) {
    const std::size_t count = spans->ring.pop(std::span(burst));
    for (const state::SpanRecord& record : std::span(burst).first(count)) on_span(record, shard);
    if (count < burst.size()) return;
    taken += count;
  }
}

void Control::on_span(const state::SpanRecord& record, ShardId shard) {
  if (record.failed())
    log_.debug(now_ns_, "task {} of client '{}' {:08x}, attempt {} at worker {:08x}: {} trace_id={}",
               wire::hex(record.trace.task_id), name_of_session(record.client), record.client.value, record.attempt,
               record.worker.value, wire::reason_word(record.reason), wire::hex(record.trace.trace_id));
  if (options_.spans != nullptr)
    options_.spans->take({record, shard, name_of_session(record.client), name_of_session(record.worker)});
}

void Control::use_tracing() {
  const TraceSettings& trace = settings_->trace;
  shared_.trace.sample_from.store(wire::sample_from(trace.sample), std::memory_order_relaxed);
  shared_.trace.slow_ns.store(trace.slow_ns > 0 ? trace.slow_ns : ~std::uint64_t{0}, std::memory_order_relaxed);
}

}  // namespace mcplane::control
