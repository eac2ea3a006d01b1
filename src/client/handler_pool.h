// The threads that run a worker's handler: jobs in from the I/O thread, finished ones back to it. A handler may block
// for as long as it likes; PINGs and ACKs do not wait for it. Any number of jobs waits; the broker bounds them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "base/types.h"
#include "client/event_loop.h"
#include "client/piece_queue.h"
#include "client/spans.h"
#include "mcplane/worker.h"

namespace mcplane::client {

struct Job {
  std::size_t link = 0;        // of the worker's, where it came from,
  std::uint32_t sessions = 0;  // and in which of its sessions
  TaskToken token;
  std::uint8_t attempt = 0;
  std::uint32_t node = 0;  // the worker's there
  wire::TraceParent trace;
  std::uint64_t came_ns = 0, deadline_ns = 0;
  Task task;                           // without prompt, history and parameters,
  std::vector<std::byte> payload;      // which a handler thread reads from here
  std::shared_ptr<PieceQueue> stream;  // null: the handler gives its answer whole
};

struct FinishedJob {
  std::size_t link = 0;
  std::uint32_t sessions = 0;
  TaskToken token;
  std::uint8_t attempt = 0;
  Answer answer;
};

using AnyHandler = std::variant<Handler, StreamHandler>;

class HandlerPool {
 public:
  // `finished` is signalled when finished jobs wait; it outlives the pool.
  HandlerPool(std::size_t threads, AnyHandler handler, Wakeup& finished, TraceOptions trace = {});
  ~HandlerPool();  // joins: waits for running handlers
  HandlerPool(const HandlerPool&) = delete;
  HandlerPool& operator=(const HandlerPool&) = delete;

  void push(Job job);
  // A job's stream, null when the handler wants none.
  std::shared_ptr<PieceQueue> make_stream() const;
  std::vector<FinishedJob> take_finished();
  // None begins any more; those that no handler has begun.
  std::deque<Job> stop();
  // No handler runs, and no finished job waits.
  bool idle();

 private:
  void run();
  Answer answer(Job& job) const;
  // Names the span it is to be, answers it, and tells of that if it is worth it.
  Answer answer_traced(Job& job, const TraceHere& trace) const;
  Answer handle(Job& job) const;

  AnyHandler handler_;
  const TraceOptions trace_;
  Wakeup& finished_signal_;
  std::mutex mutex_;  // guards the fields below
  std::condition_variable work_;
  std::deque<Job> jobs_;
  std::vector<FinishedJob> finished_;
  std::size_t busy_ = 0;
  Random random_;  // span ids
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace mcplane::client
