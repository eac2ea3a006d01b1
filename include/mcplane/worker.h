// The worker half of libmcplane: registers capabilities, runs a handler for each task, returns its answer.
//
//   mcplane::Worker worker({.broker = "10.0.0.1", .actions = {"generate"}},
//                          [](const mcplane::Task& task) { return mcplane::Answer{"you said: " + task.prompt}; });
//   worker.run();   // until stop()
//
// A handler that takes an AnswerStream as well gives its answer piece by piece:
//
//   [](const mcplane::Task& task, mcplane::AnswerStream& stream) {
//     while (more(task) && stream.write(next_piece(task))) continue;
//     return mcplane::Answer{};
//   }
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mcplane/task.h"
#include "mcplane/trace.h"

namespace mcplane {

struct Answer {
  std::string text;
  bool error = false;  // true: the task ends kWorkerError with `text` as its message
};

struct WorkerOptions {
  std::string broker{};  // as in ClientOptions; of several, the worker registers with all
  std::string name{};
  std::vector<std::string> actions{};  // 1-16
  std::vector<std::string> models{};   // at most 16
  std::vector<std::string> tags{};     // at most 16
  std::uint16_t slots = 1;             // tasks at once = handler threads
  bool shadow = false;                 // takes shadow tasks, and no others: for load tests
  std::chrono::milliseconds connect_timeout{5'000};
  // How the broker asks after the health of what stands behind the worker, at the worker's own address: "heartbeat"
  // (not at all: its PINGs are enough), "tcp:9000", "http:9000/health", "http:9000/health=204" (200 unless typed),
  // "grpc:9000", "grpc:9000/my.Service" (grpc.health.v1). It gets no tasks before the first success.
  std::string probe = "heartbeat";
  TraceOptions trace{};
};

// Called on one of `slots` handler threads, never on the I/O thread: it may block for as long as the task's TTL.
// An exception it throws becomes Answer{what(), error = true}.
using Handler = std::function<Answer(const Task&)>;

// The answer of a task that runs, as its handler makes it. Any thread, as long as the handler has not returned.
class AnswerStream {
 public:
  virtual ~AnswerStream() = default;
  // Appends to the answer; the client has it at once. Blocks while the client has not taken what was written before.
  // False, then and from now on: the task was cancelled, or its session is gone.
  virtual bool write(std::string_view text) = 0;
  virtual bool cancelled() const = 0;  // does not block
};

// What it returns is the stream's end: its last piece, which may be empty, or its error.
using StreamHandler = std::function<Answer(const Task&, AnswerStream&)>;

class Worker {
 public:
  // Opens the socket, starts the threads and registers. Throws std::runtime_error (one line) when no broker
  // answers in connect_timeout.
  Worker(const WorkerOptions& options, Handler handler);
  Worker(const WorkerOptions& options, StreamHandler handler);
  ~Worker();  // stop(), then joins
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Blocks until stop(). Registers again by itself when the broker forgets the session.
  void run();
  // Says BYE, gives back what no handler has begun, lets running handlers finish (their answers still go out, and are
  // acknowledged, within 1 s; what then still writes to its stream is told false), then makes run() return.
  // Any thread; not from a signal handler.
  void stop();

  std::uint32_t node_id() const noexcept;  // at the first of the brokers that has registered it
  std::uint64_t tasks_done() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcplane
