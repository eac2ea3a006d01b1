// A worker's protocol, sans-I/O: ROUTE in, RESULT out, CANCEL answered. No ROUTE is run twice in a session: its number
// is remembered. A RESULT is kept, and sent again by PTO, until the broker needs it no more; a ROUTE whose RESULT takes
// its time is acknowledged by itself. One thread; now_ns never goes back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "client/kept_results.h"
#include "client/resend_queue.h"
#include "client/route_window.h"
#include "client/running_tasks.h"
#include "client/session.h"
#include "client/worker_parts.h"
#include "wire/payload.h"
#include "wire/route_table.h"
#include "wire/trace.h"

namespace mcplane::client {

// A task to run. It points into the datagram being handled and into the engine: copy what outlives the call.
struct Assignment {
  TaskToken token;
  std::uint8_t attempt = 0;
  std::uint16_t flags = 0;
  std::uint32_t ttl_ms = 0;
  wire::Id16 task_id{};
  wire::TraceParent trace;
  std::uint32_t sessions = 0;              // the engine's when it came
  const wire::RouteView* route = nullptr;  // of the engine, until its next datagram
  std::span<const std::byte> payload;      // wire::read_task_payload
};

class WorkerEngine {
 public:
  // Once RESULTs of that many bytes are kept, no ROUTE is accepted: four of the longest, so that a few clients that are
  // slow to take theirs do not stand in others' way.
  static constexpr std::size_t kKeptBytesMax = 4 * wire::kMessageBytesMax;

  WorkerEngine(const wire::Endpoint& broker, const wire::HelloBody& hello, std::uint16_t mtu, Random random,
               std::size_t kept_bytes_max = kKeptBytesMax);

  void start(std::uint64_t now_ns, Outbox& out);
  void on_datagram(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns, Outbox& out,
                   std::vector<Assignment>& assigned);
  // Brings what on_datagram() of this datagram and finish() of its task will look at into the cache. The engine itself
  // should be there.
  void prefetch(std::span<const std::byte> datagram) const noexcept;
  // Where the answer of the next finish() goes: who makes it there saves a copy. Empty when there is no room. Until
  // anything else is asked of the engine or the outbox.
  std::span<std::byte> answer_place(Outbox& out) const noexcept;
  // Sends the RESULT of an assignment. Unknown or already finished tokens (session gone) are ignored: false. An answer
  // that does not fit one frame goes out in parts; behind emit() it is the stream's last piece. error:
  // Reason::WorkerError. With a full outbox the RESULT goes out by timer.
  bool finish(TaskToken token, std::uint8_t attempt, std::span<const std::byte> answer, bool error,
              std::uint64_t now_ns, Outbox& out);
  // A piece of a stream, to which finish() gives the end. False: nobody waits for it any more.
  bool emit(TaskToken token, std::uint8_t attempt, std::string_view text, std::uint64_t now_ns, Outbox& out);
  // Frames that may be emitted before the client has taken others: at 0 the caller should wait, and ask again behind
  // on_datagram() and on_timer().
  std::size_t emit_room(TaskToken token, std::uint8_t attempt) noexcept;
  // Nobody waits for its answer.
  bool cancelled(TaskToken token, std::uint8_t attempt) noexcept;
  // Tells the broker that an assignment was not begun and will not be, so that it may go to another worker. False as
  // finish().
  bool give_back(TaskToken token, std::uint8_t attempt, std::uint64_t now_ns, Outbox& out);
  // Runs what is due: HELLO, PING, RESULTs to be sent again, acknowledgements. With a full outbox the rest stays due.
  void on_timer(std::uint64_t now_ns, Outbox& out);
  std::uint64_t next_timer_ns() const noexcept {
    const std::uint64_t session_ns = session_.next_timer_ns();
    if (!session_.open()) return session_ns;
    return std::min({session_ns, next_parts_ns(), resend_.next_ns(kept_nodes_, session_.pto_ns()), next_held_ns(),
                     next_ack_ns(), unsent_.first_ns(kept_nodes_)});
  }
  void close(std::uint64_t now_ns, Outbox& out);  // BYE: no more ROUTEs; running tasks may still finish()

  const Session& session() const noexcept { return session_; }
  std::size_t running() const noexcept { return running_.size(); }
  std::size_t kept() const noexcept {
    return kept_.size() + parts_.answers.size();
  }  // RESULTs the broker may still need
  // Sessions so far. With another, all assignments are forgotten, and tokens name other tasks: what came before must
  // not be finish()ed.
  std::uint32_t sessions() const noexcept { return sessions_; }
  bool idle() const noexcept { return running_.size() == 0 && kept() == 0; }
  std::uint64_t executed() const noexcept { return executed_; }                // tasks finish()ed
  std::uint64_t duplicates() const noexcept { return duplicates_; }            // ROUTEs seen before
  std::uint64_t dropped() const noexcept { return dropped_; }                  // unsound, foreign or over capacity
  std::uint64_t retransmissions() const noexcept { return retransmissions_; }  // RESULTs, pulled ones too
  std::uint64_t acks_sent() const noexcept { return acks_sent_; }              // frames, not ROUTEs acknowledged

 private:
  using Listed = KeptResult::Listed;

  void on_registered();
  // Of our session in this life of the broker.
  bool ours(const wire::Header& header) const noexcept;
  void on_route(std::span<const std::byte> datagram, const wire::Endpoint& from, std::uint64_t now_ns, Outbox& out,
                std::vector<Assignment>& assigned);
  void on_seen_route(const wire::Header& header, const wire::Endpoint& from, std::uint64_t now_ns, Outbox& out);
  void on_cancel(const wire::Header& header, const wire::Endpoint& from, std::uint64_t now_ns, Outbox& out);
  RouteWindow& window_of(TaskToken token);
  const wire::RouteView* read_route(std::span<const std::byte> table);
  void write_result(const RunningTask& task, std::uint32_t number, wire::Reason reason,
                    std::span<const std::byte> answer, std::uint64_t now_ns, std::span<std::byte> datagram) noexcept;

  void assign(RunningTask& task, const wire::RouteView& route, std::span<const std::byte> payload, std::uint64_t now_ns,
              std::vector<Assignment>& assigned);
  void end_task(RunningTask& task, wire::Reason reason, std::span<const std::byte> answer, std::uint64_t now_ns,
                Outbox& out);
  KeptResult& keep_result(const RunningTask& task, std::uint32_t number, std::size_t bytes);
  void write_whole(const RunningTask& task, wire::Reason reason, std::span<const std::byte> answer,
                   std::uint64_t now_ns, Outbox& out);
  void say_stopped(const RunningTask& task, std::uint64_t now_ns, Outbox& out);
  void forget_running(RunningTask& task) noexcept;

  // worker_parts.cc
  void begin_assembly(RunningTask& task, std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out);
  void share_grants(std::uint64_t now_ns);
  void on_route_part(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out,
                     std::vector<Assignment>& assigned);
  void assign_complete(RunningTask& task, IncomingTask& incoming, std::uint64_t now_ns,
                       std::vector<Assignment>& assigned);
  void grant_if_due(IncomingTask& incoming, std::uint64_t now_ns, Outbox& out);
  void send_parts_due(std::uint64_t now_ns, Outbox& out);
  std::uint64_t next_parts_ns() const noexcept;

  // worker_answers.cc
  OutgoingAnswer& begin_answer(const RunningTask& task, std::uint64_t now_ns);
  void add_text(OutgoingAnswer& answer, std::string_view text, std::uint64_t now_ns);
  void end_in_parts(const RunningTask& task, wire::Reason reason, std::span<const std::byte> answer,
                    std::uint64_t now_ns, Outbox& out);
  void send_answer_parts(OutgoingAnswer& answer, std::uint64_t now_ns, Outbox& out);
  void send_answer_part(const OutgoingAnswer& answer, std::uint32_t part, bool again, std::uint64_t now_ns,
                        Outbox& out);
  std::size_t write_answer_part(const OutgoingAnswer& answer, std::uint32_t part, bool again,
                                std::span<std::byte> datagram) const noexcept;
  void forget_answer(std::uint32_t number) noexcept;
  void on_grant(std::span<const std::byte> datagram, std::uint64_t now_ns, Outbox& out);
  static bool wants_sign_of_life(const OutgoingAnswer& answer) noexcept;
  void send_answer_due(OutgoingAnswer& answer, std::uint64_t now_ns, Outbox& out);
  std::uint64_t next_answer_ns(const OutgoingAnswer& answer) const noexcept;

  // worker_recovery.cc
  void on_result_acks(std::span<const std::byte> datagram, std::uint64_t now_ns);
  void on_result_acknowledged(std::uint32_t number, wire::Reason reason, std::uint64_t now_ns);
  void on_resend(const wire::Header& header, std::uint64_t now_ns, Outbox& out);
  void send_result_again(KeptResult& kept, std::uint64_t now_ns, Outbox& out);
  void send_what_is_due(std::uint64_t now_ns, Outbox& out);
  void transmit(KeptResult& kept, bool again, std::uint64_t now_ns, Outbox& out);
  void write_ack(const wire::Header& of, wire::Reason reason, const wire::Endpoint& to, std::uint64_t now_ns,
                 Outbox& out);
  void write_route_acks(std::uint64_t now_ns, Outbox& out);
  void owe_no_ack(RunningTask& task) noexcept;
  void drop_kept(const KeptResult& kept) noexcept;
  void list(KeptResult& kept, Listed where, std::uint64_t now_ns) noexcept;
  void unlist(KeptResult& kept) noexcept;
  std::uint64_t next_held_ns() const noexcept;
  std::uint64_t next_ack_ns() const noexcept;

  Session session_;
  RunningTasks running_;
  TimedNodes running_nodes_;
  TimedList owed_;  // running, their ROUTE not acknowledged; since when
  KeptResults kept_;
  TimedNodes kept_nodes_;
  ResendQueue resend_;  // kept, not acknowledged
  TimedList unsent_;    // kept, the outbox had no room; since when
  TimedList held_;      // kept, acknowledged as held; by when they were last sent or acknowledged
  WorkerParts parts_;
  const std::size_t kept_bytes_max_;
  std::vector<RouteWindow> windows_;      // by shard, as far as ROUTEs have come
  std::vector<std::byte> table_;          // the last ROUTE's, aligned as a FlatBuffer wants it
  std::optional<wire::RouteView> route_;  // what it says; points into table_
  std::uint32_t result_number_ = 0;
  std::uint32_t sessions_ = 0;
  std::uint32_t registrations_ = 0;  // of the session, when the tasks were last looked at
  SessionId tasks_session_;          // the session and boot the tasks belong to
  std::uint32_t tasks_boot_ = 0;
  std::uint64_t executed_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t retransmissions_ = 0;
  std::uint64_t acks_sent_ = 0;
};

}  // namespace mcplane::client
