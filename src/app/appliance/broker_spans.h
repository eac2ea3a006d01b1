// The broker's spans of a task, from the one record that its core made of it.
//
//   receive            the SEND's arrival to the outcome's departure; child of the client's span
//     queue            until a worker was chosen
//     route            an attempt: until its RESULT came, or the task ended without; parent of the worker's span
//     deliver          the RESULT's arrival to the DELIVER's departure
//
// An attempt that failed while the task went on comes in a record of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "app/telemetry/span_exporter.h"
#include "control/cores/span_sink.h"

namespace mcplane::app {

// offset_ns: what the shards' clock lacks to nanoseconds since 1970.
std::vector<Span> broker_spans(const control::TracedTask& task, std::uint64_t offset_ns);

// Gives them to an exporter. Control thread.
class BrokerSpans : public control::SpanSink {
 public:
  using Clock = std::uint64_t (*)() noexcept;

  // clock: the shards'.
  BrokerSpans(SpanExporter& exporter, Clock clock) : exporter_(exporter), clock_(clock) {}

  void take(control::TracedTask task) override;
  control::SpanCounts counts() const override;

 private:
  SpanExporter& exporter_;
  Clock clock_;
};

}  // namespace mcplane::app
