// What travels: a task, the one outcome every task ends in, and the JSON form of a task.
// Plain values; copy them freely between threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcplane {

struct Turn {
  std::string role;
  std::string content;
  friend bool operator==(const Turn&, const Turn&) = default;
};

struct Task {
  std::string id{};                 // 1-64 bytes, given back unchanged; empty: a random UUID is made
  std::string action{};             // 1-64 bytes: what workers offer
  std::string model{};              // empty: any
  std::vector<std::string> tags{};  // at most 8 of 1-64 bytes; the worker has them all
  std::string prompt{};
  std::vector<Turn> history{};
  std::vector<std::pair<std::string, std::string>> parameters{};  // at most 256
  std::chrono::milliseconds ttl{30'000};                          // time to live from send(), 1 ms to 24 h
  std::uint8_t priority = 1;                                      // 0 (most urgent) to 3
  bool idempotent = false;                                        // may be executed more than once
  // Load-test traffic: goes to shadow workers only, and leaves production's limits, breakers and counters alone. A
  // shadow worker may run copies of production's tasks too, and sees `true` here for these as well.
  bool shadow = false;
  // Where the broker's policy for the route is `prefix`, tasks with the same text here go to the same worker, which may
  // have their beginning cached. Empty: made from the first 256 bytes of history and prompt. Does not travel as text.
  std::string affinity{};
  // W3C trace context in its text form, "00-TRACE-SPAN-01": what this task is part of. Empty, or invalid: a trace
  // begins with it. A handler finds that of its own span here, to hand on to whatever it calls.
  std::string traceparent{};
};

enum class OutcomeKind : std::uint8_t {
  kResult,           // executed; text holds the answer
  kWorkerError,      // executed; text holds the worker's message, behind what it had streamed
  kRejected,         // not executed; reason and retry_after say why and when to try again
  kExpiredUnrouted,  // not executed
  kExpiredRouted,    // perhaps executed
  kWorkerLost,       // perhaps executed
  kBrokerLost,       // perhaps executed
  kCancelled,        // perhaps executed
};

enum class Executed : std::uint8_t { kNo, kYes, kMaybe };

// Where a task's time went. Microseconds of the broker's and worker's own clocks; total is the sender's.
struct Timing {
  std::chrono::microseconds queued{};  // waiting at the broker for a worker
  std::chrono::microseconds broker{};  // in the broker besides waiting
  std::chrono::microseconds worker{};
  std::chrono::microseconds first_chunk{};  // from send() to the first of the answer's text; 0: none came
  std::chrono::microseconds total{};        // from send() to the outcome
};

struct Outcome {
  OutcomeKind kind = OutcomeKind::kBrokerLost;
  Executed executed = Executed::kMaybe;
  std::string task_id;
  std::string trace_id;  // 32 hexadecimal digits: finds the task in traces and logs
  // Of an answer that broke off (kWorkerLost, kExpiredRouted, kCancelled, ...) what had come. Chunks that a
  // ChunkCallback was given are not here.
  std::string text;
  std::size_t received = 0;  // bytes of the answer's text, here or given to a ChunkCallback
  std::uint32_t chunks = 0;  // it came in: one for an answer that fits a frame
  // "": by a worker that was asked for. While none of them is in: "cached", what one answered to the same before;
  // "fallback", by another worker; "reply", a text that is the same for all; "skip", no text: go on without.
  std::string degraded;
  std::string reason;                       // a short word: "no_worker", "queue_full", ...; "" for kResult
  std::chrono::milliseconds retry_after{};  // kRejected only
  // kRejected by a running broker: slots of the workers that serve such tasks, and how many of them were free lately.
  std::uint32_t slots = 0, free_slots = 0;
  std::uint32_t worker_node = 0;  // node_id of the worker, 0 when none
  std::uint8_t attempt = 0;       // which routing of the task this is, from 1
  Timing timing;

  bool ok() const noexcept { return kind == OutcomeKind::kResult; }
};

// "result", "worker_error", "rejected", "expired_unrouted", ...
std::string_view to_string(OutcomeKind kind) noexcept;
std::string_view to_string(Executed executed) noexcept;

// Reads the JSON form: {"mcp_version":"1.0","task_id":...,"action":...,"payload":{"prompt":...,
// "context":{"history":[{"role":...,"content":...}]}},"ttl":seconds}. All of these are required; `model`, `tags`,
// `priority`, `idempotent`, `shadow`, `affinity`, `traceparent` and `payload.parameters` are accepted too, anything
// else is refused. Throws std::invalid_argument whose one line names the field: "payload.prompt: missing".
Task task_from_json(std::string_view json);

}  // namespace mcplane
