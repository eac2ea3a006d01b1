// A client over a kernel socket, without a thread: the engine, its socket and timers, and the tasks that wait for a
// slot, for registration, or for a broker that is overloaded. AsyncClient is this in a box; Client drives one from its
// I/O thread. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "client/client_engine.h"
#include "client/encoded_task.h"
#include "client/event_loop.h"
#include "client/spans.h"
#include "client/subscriptions.h"
#include "client/throttle.h"
#include "client/udp_socket.h"
#include "mcplane/client.h"

namespace mcplane::client {

class AsyncCore {
 public:
  explicit AsyncCore(const ClientOptions& options);  // throws std::runtime_error
  ~AsyncCore();                                      // as close()
  AsyncCore(const AsyncCore&) = delete;
  AsyncCore& operator=(const AsyncCore&) = delete;

  EventLoop& loop() noexcept { return loop_; }
  const std::vector<wire::Endpoint>& brokers() const noexcept { return brokers_; }
  const Session& session() const noexcept { return engine_.session(); }
  std::size_t in_flight() const noexcept { return pending_.size() - free_.size(); }

  void process();
  // Takes the task; what it writes leaves with the next flush() or process().
  void submit(Task task, OutcomeCallback done, ChunkCallback chunk = {});
  // Ends every task of that id as kCancelled; false when there is none. Looks through the tasks in flight.
  bool cancel(std::string_view task_id);

  // async_events.cc. The tables are those of subscription_table() and publication_table(); what is written leaves with
  // the next flush() or process(). subscribe() throws std::runtime_error when there is no room or it is closed.
  SubscriptionId subscribe(std::span<const std::byte> table, EventCallback on_event, SubscribedCallback subscribed);
  void unsubscribe(SubscriptionId id);
  PublishStatus publish(std::span<const std::byte> table, std::span<const std::byte> payload);
  std::uint64_t missed() const noexcept;

  // False: the socket has no room for all; the loop wakes when it has.
  bool flush();
  // BYE; every task ends kBrokerLost, and who waits for a subscription hears the like.
  void close();

 private:
  // What has come of an answer.
  struct Received {
    std::string text;  // unless it was given to a ChunkCallback
    std::size_t bytes = 0;
    std::uint32_t chunks = 0;
    std::uint64_t first_ns = 0;
    wire::Reason fault = wire::Reason::Ok;  // why it was given up
  };
  // A task between submit() and its outcome.
  struct Pending {
    std::string task_id;
    OutcomeCallback done;
    ChunkCallback chunk;
    Received received;
    std::uint32_t generation = 0;  // tells apart the tasks that had this place
    std::uint64_t submitted_ns = 0;
    std::uint64_t deadline_ns = 0;
    TraceHere trace;
    std::string action;
    EncodedTask encoded;  // empty once sent
    bool busy = false;
    bool waits = false;  // not sent yet
  };
  enum class Sent : std::uint8_t { kYes, kLater, kTooLarge };

  void receive();
  void run_timers();
  std::uint64_t next_timer_ns(std::uint64_t now_ns) const noexcept;
  std::size_t take_place();
  Pending free_place(std::size_t index);
  // Of the task in that place, for the engine.
  std::uint64_t context_of(std::size_t index) const noexcept {
    return std::uint64_t{pending_[index].generation} << 32 | index;
  }
  // Null when that task has had its outcome.
  Pending* find(std::uint64_t context) noexcept;
  Sent try_send(std::size_t index, std::uint64_t now_ns);
  void send_waiting(std::uint64_t now_ns);
  void expire_waiting(std::uint64_t now_ns);
  void hand_out_events();
  void finish_unsent(std::size_t index, OutcomeKind kind, std::string reason, std::uint64_t now_ns);

  // async_answers.cc
  void settle(std::vector<Completion>& ended, std::uint64_t now_ns);
  void take_piece(const Completion& piece, std::uint64_t now_ns);
  void give_up(std::uint64_t context, wire::Reason fault);
  void end_given_up(std::uint64_t now_ns);
  void finish(const Completion& last, std::uint64_t now_ns);
  void tell(Pending& pending, Outcome& outcome, std::uint64_t now_ns);
  static void note_text(Received& received, std::string_view text, std::uint64_t now_ns) noexcept;

  std::vector<wire::Endpoint> brokers_;
  const TraceOptions trace_;
  UdpSocket socket_;
  EventLoop loop_;
  Random random_;
  ClientEngine engine_;
  Outbox outbox_;
  std::vector<Completion> done_;  // of the datagram or timer at hand
  std::vector<Pending> pending_;
  std::vector<std::size_t> free_;
  std::vector<std::uint64_t> given_up_;  // contexts of tasks whose answers are no good, to be cancelled
  std::deque<std::size_t> waiting_;      // not yet sent, oldest first
  std::uint64_t waiting_earliest_ns_;    // no waiting task's deadline is earlier
  Throttle throttle_;
  Subscriptions subscriptions_;
  bool closed_ = false;
};

}  // namespace mcplane::client
