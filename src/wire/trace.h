// W3C trace context (https://www.w3.org/TR/trace-context-2/): the text form `traceparent`, who is sampled, and the ids
// of the spans that a broker makes of a task. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/random.h"
#include "wire/header.h"

namespace mcplane::wire {

using SpanId = std::array<std::uint8_t, 8>;

inline constexpr auto kTraceFlags = static_cast<std::uint16_t>(raw(Flag::Sampled) | raw(Flag::RandomTrace));

struct TraceParent {
  Id16 trace_id{};
  SpanId span{};            // of whoever sends it: the parent of what its receiver does
  std::uint16_t flags = 0;  // of kTraceFlags

  bool sampled() const noexcept { return has(flags, Flag::Sampled); }
  friend bool operator==(const TraceParent&, const TraceParent&) = default;
};

// "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01". nullopt for what section 3.2 calls invalid; a later
// version than 00 is read as that says, by its first four fields.
std::optional<TraceParent> parse_traceparent(std::string_view text) noexcept;
std::string to_string(const TraceParent& parent);

// In lower case.
std::string hex(std::span<const std::uint8_t> bytes);
// Trace ids as people type them; nullopt unless it is 32 hexadecimal digits, not all 0.
std::optional<Id16> parse_trace_id(std::string_view text) noexcept;

// What a task's header holds in a row, and what is kept of it while the task lives.
struct TaskTrace {
  Id16 task_id{};
  Id16 trace_id{};
  SpanId parent{};
};
static_assert(sizeof(TaskTrace) == 40);

inline TaskTrace trace_of(const Header& header) noexcept {
  TaskTrace trace;
  std::memcpy(&trace, header.task_id()->Data(), sizeof trace);
  return trace;
}

// Head sampling by the trace id alone, so that whoever samples at the same rate takes the same traces: its last 7 bytes
// are random (section 3.2.2.3), and the greatest of them are taken (OpenTelemetry's consistent probability sampling),
// by the first 32 bits.
inline constexpr std::uint64_t kSampleNone = std::uint64_t{1} << 32;
constexpr std::uint64_t sample_from(double share) noexcept {
  return kSampleNone - static_cast<std::uint64_t>(share * static_cast<double>(kSampleNone));
}
inline bool is_taken(const std::uint8_t* trace_id, std::uint64_t from) noexcept {
  constexpr std::size_t kRandomBytes = 7;
  std::uint32_t bits = 0;
  std::memcpy(&bits, trace_id + sizeof(Id16) - kRandomBytes, sizeof bits);
  return __builtin_bswap32(bits) >= from;
}

// The spans of a task at its broker have ids that follow from the task's own span and the task: so nobody has to carry
// them, and a worker's span can name as its parent an attempt that is exported later, and elsewhere.
enum class BrokerSpan : std::uint8_t {
  kReceive = 1,
  kQueue = 2,
  kDeliver = 3,
  kAttempt = 16
};  // kAttempt + n: the n-th
inline SpanId span_id(const TaskTrace& trace, BrokerSpan which, std::uint8_t attempt = 0) noexcept {
  std::uint64_t parent = 0, task = 0;
  std::memcpy(&parent, trace.parent.data(), sizeof parent);
  std::memcpy(&task, trace.task_id.data(), sizeof task);
  constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ULL;
  const std::uint64_t id = mix64((parent ^ task) + kGolden * (std::uint64_t{raw(which)} + attempt));
  SpanId span;
  std::memcpy(span.data(), &id, sizeof id);
  return span;
}

}  // namespace mcplane::wire
