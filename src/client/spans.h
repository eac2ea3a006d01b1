// What endpoints have to do with traces: the context that a task goes out with, and the spans of its sending and its
// running. Pure but for the wall clock; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.h"
#include "mcplane/task.h"
#include "mcplane/trace.h"
#include "wire/trace.h"

namespace mcplane::client {

// Of one task at one endpoint.
struct TraceHere {
  wire::TraceParent own;  // what it goes on with: its span is the endpoint's own
  wire::SpanId parent{};  // all 0: none
};

// A new span of the trace that `traceparent` names, or of a new trace when it names none.
TraceHere begin_trace(std::string_view traceparent, double sample, Random& random);
// The same, of a trace that came in a header. One without a trace id begins a trace.
TraceHere continue_trace(const wire::TraceParent& came, double sample, Random& random);

bool is_told(const TraceOptions& options, const TraceHere& trace, bool ok, std::uint64_t taken_ns) noexcept;

// Both end now, and took so long.
Span send_span(const TraceHere& trace, const Outcome& outcome, std::string_view action, std::uint32_t node,
               std::uint64_t taken_ns);
struct Handled {
  const Task& task;
  std::uint32_t node = 0;  // the worker's
  std::uint8_t attempt = 0;
  bool error = false;
  std::uint64_t waited_ns = 0, taken_ns = 0;  // for a handler; in all
};
Span process_span(const TraceHere& trace, const Handled& handled);

}  // namespace mcplane::client
