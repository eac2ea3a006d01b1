// A worker's protocol, sans-I/O: ROUTE in, RESULT out, CANCEL answered. Dedups ROUTE by (boot, token, attempt) and
// keeps the last RESULTs so that a repeated ROUTE gets the same answer instead of a second execution.
// One thread; now_ns never goes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "client/result_cache.h"
#include "client/running_tasks.h"
#include "client/session.h"
#include "wire/payload.h"
#include "wire/route_table.h"

namespace mcplane::client {

// A task to run. It points into the datagram being handled and into the engine: copy what outlives the call.
struct Assignment {
  TaskToken token;
  std::uint8_t attempt = 0;
  std::uint16_t flags = 0;
  std::uint32_t ttl_ms = 0;
  wire::Id16 task_id{};
  const wire::RouteView* route = nullptr;  // of the engine, until its next datagram
  std::span<const std::byte> payload;      // wire::read_task_payload
};

class WorkerEngine {
 public:
  WorkerEngine(const wire::Endpoint& broker, const wire::HelloBody& hello, std::uint16_t mtu, Random random);

  void start(std::uint64_t now_ns, Outbox& out);
  void on_datagram(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns, Outbox& out,
                   std::vector<Assignment>& assigned);
  // Brings what on_datagram() of this datagram and finish() of its task will look at into the cache. The engine itself
  // should be there.
  void prefetch(std::span<const std::byte> datagram) const noexcept;
  // Sends the RESULT of an assignment. Unknown or already finished tokens (cancelled, expired, session gone) are
  // ignored: false. An answer that does not fit one frame goes out as Reason::TooLarge with an empty answer.
  // error: Reason::WorkerError. With a full outbox the RESULT stays in the cache and goes out when its ROUTE is
  // repeated.
  bool finish(TaskToken token, std::uint8_t attempt, std::span<const std::byte> answer, bool error,
              std::uint64_t now_ns, Outbox& out);
  void on_timer(std::uint64_t now_ns, Outbox& out);
  std::uint64_t next_timer_ns() const noexcept { return session_.next_timer_ns(); }
  void close(std::uint64_t now_ns, Outbox& out);  // BYE: no more ROUTEs; running tasks may still finish()

  const Session& session() const noexcept { return session_; }
  std::size_t running() const noexcept { return running_.size(); }
  std::uint64_t executed() const noexcept { return executed_; }      // tasks finish()ed
  std::uint64_t duplicates() const noexcept { return duplicates_; }  // repeated ROUTEs
  std::uint64_t dropped() const noexcept { return dropped_; }        // unsound, foreign or over capacity

 private:
  void on_registered();
  // Of our session in this life of the broker.
  bool ours(const wire::Header& header) const noexcept;
  void on_route(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns, Outbox& out,
                std::vector<Assignment>& assigned);
  void on_cancel(const wire::Header& header, const wire::Endpoint& from, std::uint64_t now_ns, Outbox& out);
  const wire::RouteView* read_route(std::span<const std::byte> table);
  std::span<const std::byte> write_result(const RunningTask& task, wire::Reason reason,
                                          std::span<const std::byte> answer, std::uint64_t now_ns,
                                          std::span<std::byte> datagram) noexcept;

  Session session_;
  RunningTasks running_;
  ResultCache results_;
  std::vector<std::byte> table_;          // the last ROUTE's, aligned as a FlatBuffer wants it
  std::optional<wire::RouteView> route_;  // what it says; points into table_
  std::vector<std::byte> spare_;          // a RESULT for which the outbox has no room
  std::uint32_t result_number_ = 0;
  std::uint32_t registrations_ = 0;  // of the session, when the tasks were last looked at
  SessionId tasks_session_;          // the session and boot the tasks belong to
  std::uint32_t tasks_boot_ = 0;
  std::uint64_t executed_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace mcplane::client
