// The books of all tasks: what their clients sent, what workers ran, what the broker put on the wire, and how each
// ended. Holds invariants 1, 2, 3, 6, 8 and 9; each call costs O(1). The first thing that does not hold is kept in
// words.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/client_engine.h"
#include "wire/address.h"

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

class Ledger {
 public:
  explicit Ledger(Verdict& verdict) : verdict_(verdict) {}

  // What a task's client does. Returns the task's number.
  std::uint32_t begin(std::uint32_t client, std::uint32_t ttl_ms, std::uint64_t now_ns);
  static wire::Id16 id_of(std::uint32_t number) noexcept;
  static std::uint32_t number_of(const wire::Id16& id) noexcept;
  // Its SEND, as the client's engine wrote it.
  void on_send(const wire::Header& header);
  // `answer`: what a worker says to this task.
  void on_outcome(const client::Completion& completion, std::span<const std::byte> answer, std::uint64_t now_ns);
  // The client is gone, and with it who could tell of its tasks.
  void on_client_gone(std::uint32_t client);

  // What a worker does.
  void on_execution(std::uint32_t number, std::uint32_t ttl_ms);

  // What the broker sends; `to` is the peer whose address the frame has.
  void on_broker_frame(const wire::Header& header, std::uint32_t to);

  // Every 1,000 steps: no task is overdue.
  void sweep(std::uint64_t now_ns);

  std::size_t open() const noexcept { return open_; }
  std::size_t sent() const noexcept { return tasks_.size(); }
  std::uint64_t delivered() const noexcept { return delivered_; }
  bool ended(std::uint32_t number) const { return tasks_[number].ended; }
  bool was_delivered(std::uint32_t number) const { return tasks_[number].outcome == Seen::kDelivered; }
  wire::Reason reason(std::uint32_t number) const { return tasks_[number].reason; }

 private:
  enum class Seen : std::uint8_t { kNothing, kDelivered, kRejected };

  struct Task {
    std::uint32_t client = 0, ttl_ms = 0;
    std::uint64_t deadline_ns = 0;  // TTL and grace
    std::uint32_t worker_session = 0;
    std::uint8_t executions = 0, routes = 0;
    Seen on_wire = Seen::kNothing;  // the outcome the broker sent
    Seen outcome = Seen::kNothing;  // and the one the client heard
    wire::Reason wire_reason{}, reason{};
    bool denied = false;  // somebody heard that it was not executed
    bool ended = false, abandoned = false;
    bool shares_exchange = false;  // its slot and sequence were another's too
  };

  // A client's exchange: session, slot, sequence.
  static std::uint64_t exchange_of(const wire::Header& header) noexcept {
    return (std::uint64_t{header.session()} << 32) | ((header.slot() & 0x3ffU) << 22) | (header.sequence() & 0x3fffffU);
  }
  void on_route(const wire::Header& header);
  void on_deliver(const wire::Header& header, std::uint32_t to, Task& task);
  void on_reject(const wire::Header& header, std::uint32_t to, Task& task);
  void fail(std::string_view oracle, std::uint32_t number, std::string_view what);
  std::uint32_t number_of(const Task& task) const noexcept { return static_cast<std::uint32_t>(&task - tasks_.data()); }

  Verdict& verdict_;
  std::vector<Task> tasks_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_exchange_;
  std::size_t open_ = 0;
  std::uint64_t delivered_ = 0;
};

}  // namespace mcplane::sim
