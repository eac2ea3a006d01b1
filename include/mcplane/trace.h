// Traces: where a task was, and for how long, told by everybody who had it under one trace id.
//
//   mcplane::Client client({.broker = "10.0.0.1", .trace = {.sample = 0.01, .on_span = [](mcplane::Span span) { ...
//   }}});
//
// Every task has a W3C trace id (https://www.w3.org/TR/trace-context-2/). Who makes the trace says by its sampled flag
// whether all tell of it; a task that fails, or is slow, is told of in any case.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mcplane {

enum class SpanKind : std::uint8_t { kInternal = 1, kServer, kClient, kProducer, kConsumer };

struct Span {
  using Value = std::variant<std::string, std::int64_t, bool>;

  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  std::array<std::uint8_t, 8> parent_id{};  // all 0: it begins the trace
  bool sampled = false;                     // false: told of because it failed or was slow
  std::string name;                         // "send generate", "process generate"
  SpanKind kind = SpanKind::kInternal;
  std::uint64_t start_unix_ns = 0, end_unix_ns = 0;       // since 1970
  std::vector<std::pair<std::string, Value>> attributes;  // by OpenTelemetry's messaging conventions, and mcplane.*
  std::string error;                                      // a short word; "": it went well
};

using SpanCallback = std::function<void(Span)>;

struct TraceOptions {
  double sample = 0;                 // share of traces that are sampled, 0 to 1, by their trace ids
  std::chrono::microseconds slow{};  // from which a task is told of whatever its flag; 0: never
  // Called when a span ends, a client's on the thread that runs its callbacks, a worker's on a handler thread: it must
  // not block. No span holds a prompt or an answer. Empty: nothing is told.
  SpanCallback on_span{};
};

}  // namespace mcplane
