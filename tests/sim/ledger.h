// The books of all tasks: what their clients sent, what workers ran, what the broker put on the wire, and how each
// ended. Holds invariants 1, 2, 3, 6, 8 and 9; each call costs O(1). The first thing that does not hold is kept in
// words.
//
// A task is what an application sent. It lives in one or more exchanges (session, slot and sequence of one life of the
// broker), and an exchange has attempts, each a ROUTE to one worker session.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/client_engine.h"
#include "client/worker_engine.h"
#include "wire/address.h"
#include "wire/retransmission.h"

namespace mcplane::sim {

// The first broken invariant of a run.
class Verdict {
 public:
  void fail(std::string_view oracle, std::string_view what) {
    if (!text_.empty()) return;
    text_.append(oracle).append(": ").append(what);
  }
  bool failed() const noexcept { return !text_.empty(); }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

// Frames as their senders gave them to the wire.
struct Traffic {
  std::array<std::uint64_t, static_cast<std::size_t>(wire::FrameType::MAX) + 1> of_type{};
  std::uint64_t again = 0;      // retransmissions of SEND and RESULT
  std::uint64_t acks = 0;       // about tasks
  std::uint64_t keepalive = 0;  // of of_type: about sessions, not about tasks

  std::uint64_t operator[](wire::FrameType type) const noexcept { return of_type[raw(type)]; }
  // Those that are about tasks.
  std::uint64_t tasks() const noexcept;
};

using Outcomes = std::array<std::uint64_t, static_cast<std::size_t>(wire::Reason::MAX) + 1>;  // by reason

class Ledger {
 public:
  explicit Ledger(Verdict& verdict) : verdict_(verdict) {}

  // What a task's client does. Returns the task's number.
  struct Kind {
    bool idempotent = false, shadow = false;
  };
  std::uint32_t begin(std::uint32_t client, std::uint32_t ttl_ms, const Kind& kind, std::uint64_t now_ns);
  void on_cancel(std::uint32_t number) { tasks_[number].cancelled = true; }
  static wire::Id16 id_of(std::uint32_t number) noexcept;
  static std::uint32_t number_of(const wire::Id16& id) noexcept;
  // `answer`: what a worker says to this task.
  void on_outcome(const client::Completion& completion, std::span<const std::byte> answer, std::uint64_t now_ns);
  // The client is gone, and with it who could tell of its tasks.
  void on_client_gone(std::uint32_t client);
  // What a worker begins to run, in which session.
  void on_execution(const client::Assignment& assignment, const client::Session& worker);

  // A frame as a peer's engine wrote it, and a sound one as it reaches the broker, which reads it by then.
  void on_peer_frame(const wire::Header& header);
  void on_arrival(const wire::Header& header, std::uint64_t read_ns);
  struct Departure {
    std::uint64_t since_ns = 0;  // the broker did not send it earlier
    bool in_order = false;       // no frame that is seen later was sent in an earlier loop
  };
  // A frame as the broker sent it; `to` is the peer whose address it has.
  void on_broker_frame(const wire::Header& header, std::uint32_t to, const Departure& departure);
  // Whether no outcome of this exchange was seen before.
  bool begins_outcome(const wire::Header& outcome) const;
  // Whether no ROUTE of this attempt was seen before.
  bool begins_attempt(const wire::Header& route) const;
  // The worker session that holds the attempt before this ROUTE's, when it never said it would not run it; else 0.
  std::uint32_t unfinished_before(const wire::Header& route) const;

  // Every 1,000 steps: no task is overdue.
  void sweep(std::uint64_t now_ns);

  std::size_t open() const noexcept { return open_; }
  std::size_t sent() const noexcept { return tasks_.size(); }
  std::uint64_t delivered() const noexcept { return delivered_; }
  bool ended(std::uint32_t number) const { return tasks_[number].ended; }
  bool was_delivered(std::uint32_t number) const { return tasks_[number].outcome == Seen::kDelivered; }
  wire::Reason reason(std::uint32_t number) const { return tasks_[number].reason; }
  const Traffic& traffic() const noexcept { return traffic_; }
  // Executions beyond a task's first, and outcomes by reason.
  std::uint64_t executed_again() const noexcept { return executed_again_; }
  const Outcomes& outcomes() const noexcept { return outcomes_; }
  // Of one life of the broker: exchanges whose SENDs left their clients, and those of which a ROUTE was seen. What the
  // broker accepted is between the two.
  struct Begun {
    std::uint64_t sent = 0, routed = 0;
  };
  Begun begun(std::uint32_t boot_id, bool shadow) const;

 private:
  enum class Seen : std::uint8_t { kNothing, kDelivered, kRejected };
  static constexpr std::uint32_t kNobody = 0xffffffffU;

  struct Task {
    std::uint32_t client = 0, ttl_ms = 0;
    std::uint64_t deadline_ns = 0;   // TTL and grace
    std::uint32_t latest = kNobody;  // exchange
    std::uint32_t executions = 0;
    Seen outcome = Seen::kNothing;  // that the client heard
    wire::Reason reason{};
    bool idempotent = false, shadow = false, cancelled = false;
    bool denied = false;  // the client heard that it was not executed
    bool ended = false;
  };
  struct Attempt {
    TaskToken token;
    std::uint32_t worker_session = 0, route_number = 0, runs = 0;
    std::uint8_t number = 0;
    bool stopped = false;  // the worker said that it does not and will not run it
    bool refused = false;  // and said so of its ROUTE
  };
  struct Exchange {
    std::uint32_t task = 0, earlier = kNobody;  // of the same task
    std::uint32_t session = 0, boot_id = 0;
    std::uint64_t expiry_ns = 0;    // the latest that a SEND allowed when it was read
    Seen on_wire = Seen::kNothing;  // the outcome the broker sent
    wire::Reason reason{};          // kRejected; Ok: by an answer of the broker's own
    wire::Executed executed{};
    std::vector<Attempt> attempts;
  };
  // What a frame names, in one life of the broker.
  struct Name {
    std::uint64_t what = 0;
    std::uint32_t boot_id = 0;
    friend bool operator==(const Name&, const Name&) = default;
  };
  struct HashOfName {
    std::size_t operator()(const Name& name) const noexcept {
      return (name.what ^ (std::uint64_t{name.boot_id} << 17)) * 0x9e3779b97f4a7c15ULL >> 7;
    }
  };

  static Name exchange_name(const wire::Header& header) noexcept {
    return {
        (std::uint64_t{header.session()} << 32) | ((header.slot() & 0x3ffU) << 22) | (header.sequence() & 0x3fffffU),
        header.boot_id()};
  }
  static Name token_name(TaskToken token, std::uint32_t boot_id) noexcept {
    return {(std::uint64_t{token.generation} << 32) | token.location, boot_id};
  }
  // Of a task of production at a shadow worker.
  static bool is_copy(const Task& task, std::uint16_t flags) noexcept { return wire::is_shadow(flags) && !task.shadow; }
  void on_copy(const wire::Header& route, std::uint32_t number);
  void count(const wire::Header& header);
  void on_send(const wire::Header& header);
  void on_send_part(const wire::Header& header, std::uint32_t number);
  void on_refusal(const wire::Header& header);
  void on_route(const wire::Header& header, const Departure& departure);
  void on_route_part(const wire::Header& header, Exchange& exchange);
  void on_deliver(const wire::Header& header, Exchange& exchange, const Departure& departure);
  void on_reject(const wire::Header& header, Exchange& exchange);
  void on_own_answer(const wire::Header& header, Exchange& exchange, const Departure& departure);
  void check_denial(const wire::Header& header, const Exchange& exchange);
  Exchange* find_by_task(std::uint32_t number, const wire::Header& header);
  Exchange* find_by_token(TaskToken token, std::uint32_t boot_id);
  static Attempt* find(Exchange& exchange, std::uint8_t attempt);
  bool answered_by(const Task& task, const client::Completion& completion) const;
  void fail(std::string_view oracle, std::uint32_t number, std::string_view what);
  std::uint32_t number_of(const Task& task) const noexcept { return static_cast<std::uint32_t>(&task - tasks_.data()); }

  Verdict& verdict_;
  std::vector<Task> tasks_;
  std::vector<Exchange> exchanges_;
  std::unordered_map<Name, std::uint32_t, HashOfName> by_exchange_, by_token_;
  std::unordered_map<Name, std::uint32_t, HashOfName> copies_;  // by token: how often they ran
  std::size_t open_ = 0;
  std::uint64_t delivered_ = 0, executed_again_ = 0;
  Outcomes outcomes_{};
  Traffic traffic_;
};

}  // namespace mcplane::sim
