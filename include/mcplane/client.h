// The client half of libmcplane: registers with a broker over a kernel UDP socket, sends tasks, gets outcomes.
//
//   mcplane::Client client({.broker = "10.0.0.1:4800"});
//   mcplane::Outcome outcome = client.call({.action = "generate", .prompt = "hi"});
//
// Every task ends in exactly one outcome, at the latest its TTL plus kGrace after it was sent.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>

#include "mcplane/event.h"
#include "mcplane/task.h"
#include "mcplane/trace.h"

namespace mcplane {

// After TTL plus this long without a word from the broker, the client itself ends a task as kExpiredRouted.
inline constexpr std::chrono::milliseconds kGrace{500};
inline constexpr std::uint16_t kDefaultPort = 4800;

struct ClientOptions {
  // "10.0.0.1", "10.0.0.1:4800", "[fd00::1]:4800"; or several, separated by commas: the first that is alive is used,
  // and the next when it falls silent. All IPv4 or all IPv6.
  std::string broker{};
  std::string name{};         // for people; default: the program's name
  std::uint16_t slots = 256;  // most tasks in flight; the broker may grant fewer
  std::chrono::milliseconds connect_timeout{5'000};
  TraceOptions trace{};
};

using OutcomeCallback = std::function<void(Outcome)>;
// A piece of an answer, in order, as it comes; the text is the callback's until it returns. The outcome follows the
// last.
using ChunkCallback = std::function<void(std::string_view)>;

// For someone else's event loop: no thread of its own. Wait until fd() is readable, then call process().
// One thread at a time. Callbacks run inside process(), submit(), cancel() and the destructor; those of events inside
// process() alone.
class AsyncClient {
 public:
  // Opens the socket and starts registering. Throws std::runtime_error (one line) on a bad address or socket error.
  explicit AsyncClient(const ClientOptions& options);
  ~AsyncClient();  // says BYE; tasks in flight end kBrokerLost
  AsyncClient(AsyncClient&&) noexcept;
  AsyncClient& operator=(AsyncClient&&) noexcept;

  // Readable whenever process() has something to do, sockets and timers alike. Owned by the client.
  int fd() const noexcept;
  // Receives, sends, runs timers and callbacks; never blocks.
  void process();
  // Hands a task over; `done` is called exactly once. Tasks beyond the granted slots, and those submitted before
  // registration or while the broker is overloaded, wait inside the client within their TTL. A task that is malformed
  // or longer than 16 MiB is rejected at once ("too_large", "malformed: ..."), executed = no. An answer longer than
  // that ends kWorkerError, "too_large".
  void submit(Task task, OutcomeCallback done);
  // The answer's text goes to `chunk`, of any length in all, and Outcome::text holds a worker's error message only.
  void submit(Task task, ChunkCallback chunk, OutcomeCallback done);
  // Ends every task in flight that has this id: kCancelled, executed = no if it never left, else maybe. The broker is
  // told, and drops the task or its answer. False when there is none.
  bool cancel(std::string_view task_id);

  // Asks for the events on all topics that match; of the subscriptions with the same pattern and group, of any client,
  // one gets each event. It lasts over registrations: after one, what is published until the broker has heard is not
  // matched. Throws std::invalid_argument, one line, on an unsound pattern or group.
  SubscriptionId subscribe(std::string_view pattern, EventCallback on_event, std::string_view group = {},
                           SubscribedCallback subscribed = {});
  // Its callbacks are not called any more.
  void unsubscribe(SubscriptionId id);
  // Sends it once. False: nothing was sent, since this is not registered, or the socket has no room until it is
  // readable again. Throws std::invalid_argument, one line, on an unsound topic or when it does not fit one frame.
  bool publish(std::string_view topic, std::string_view payload);
  // Events that the broker sent to this client and that did not come, as gaps in their numbers show; one that comes
  // late, at most 63 numbers behind, is not counted any more.
  std::uint64_t missed() const noexcept;

  bool registered() const noexcept;
  std::uint32_t node_id() const noexcept;  // 0 until registered
  std::size_t in_flight() const noexcept;  // submitted and without outcome

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The convenient form: an I/O thread of its own, so heartbeats go on while the application blocks or computes.
// All methods may be called from any thread. Callbacks run on the I/O thread: they must not block.
class Client {
 public:
  // Returns when registered. Throws std::runtime_error (one line) when the broker does not answer in
  // connect_timeout.
  explicit Client(const ClientOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Outcome call(Task task);  // blocks until the outcome
  std::future<Outcome> send(Task task);
  void send(Task task, OutcomeCallback done);
  void send(Task task, ChunkCallback chunk, OutcomeCallback done);  // as AsyncClient::submit()
  // As AsyncClient's, on the I/O thread; the outcome tells whether it came in time. A task gets its id from the
  // application, if it is to be cancelled.
  void cancel(std::string task_id);

  // As AsyncClient's. Returns once the broker has acknowledged: what anyone publishes from then on is matched. Throws
  // std::runtime_error, one line, when it refuses, or says nothing in connect_timeout. Not from a callback, which would
  // wait for itself: throws std::runtime_error there.
  SubscriptionId subscribe(std::string_view pattern, EventCallback on_event, std::string_view group = {});
  // When it returns, the callback is not called any more, unless it is the callback that called this.
  void unsubscribe(SubscriptionId id);
  // As AsyncClient's, on the I/O thread: what is published while the broker is out of reach is lost. Waits while 1,024
  // wait there, but not in a callback.
  void publish(std::string_view topic, std::string_view payload);
  std::uint64_t missed() const noexcept;

  std::uint32_t node_id() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcplane
