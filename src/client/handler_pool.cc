// One lock for both queues: it is held for a push or a pop, while a handler takes micro- to milliseconds.
#include "client/handler_pool.h"

#include <exception>
#include <utility>

#include "client/endpoint_setup.h"
#include "wire/payload.h"

namespace mcplane::client {

namespace {

// False when the bytes are no task payload.
bool read_payload(const std::vector<std::byte>& bytes, Task& task) {
  auto payload = wire::read_task_payload(bytes);
  if (!payload) return false;
  task.prompt = std::move(payload->prompt);
  for (auto& turn : payload->history) task.history.push_back({std::move(turn.role), std::move(turn.content)});
  for (auto& entry : payload->parameters) task.parameters.emplace_back(std::move(entry.key), std::move(entry.value));
  return true;
}

}  // namespace

HandlerPool::HandlerPool(std::size_t threads, AnyHandler handler, Wakeup& finished, TraceOptions trace)
    : handler_(std::move(handler)), trace_(std::move(trace)), finished_signal_(finished), random_(random_source()) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

HandlerPool::~HandlerPool() {
  stop();
  for (auto& thread : threads_) thread.join();
}

std::shared_ptr<PieceQueue> HandlerPool::make_stream() const {
  const bool streams = std::holds_alternative<StreamHandler>(handler_);
  return streams ? std::make_shared<PieceQueue>(finished_signal_) : nullptr;
}

void HandlerPool::push(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  work_.notify_one();
}

std::vector<FinishedJob> HandlerPool::take_finished() {
  const std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

std::deque<Job> HandlerPool::stop() {
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(jobs_);
  }
  work_.notify_all();
  return left;
}

bool HandlerPool::idle() {
  const std::lock_guard lock(mutex_);
  return busy_ == 0 && finished_.empty();
}

void HandlerPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    ++busy_;
    const TraceHere trace = continue_trace(job.trace, trace_.sample, random_);
    lock.unlock();
    FinishedJob finished{job.link, job.sessions, job.token, job.attempt, answer_traced(job, trace)};
    lock.lock();
    --busy_;
    finished_.push_back(std::move(finished));
    finished_signal_.signal();
  }
}

Answer HandlerPool::answer_traced(Job& job, const TraceHere& trace) const {
  job.task.traceparent = wire::to_string(trace.own);
  const std::uint64_t began_ns = now_ns();
  Answer given = answer(job);
  const std::uint64_t taken_ns = now_ns() - job.came_ns;
  if (is_told(trace_, trace, !given.error, taken_ns))
    trace_.on_span(process_span(trace, {.task = job.task,
                                        .node = job.node,
                                        .attempt = job.attempt,
                                        .error = given.error,
                                        .waited_ns = began_ns - job.came_ns,
                                        .taken_ns = taken_ns}));
  return given;
}

Answer HandlerPool::handle(Job& job) const {
  if (job.stream) return std::get<StreamHandler>(handler_)(job.task, *job.stream);
  return std::get<Handler>(handler_)(job.task);
}

Answer HandlerPool::answer(Job& job) const {
  if (job.stream && job.stream->cancelled()) return {"cancelled before a handler was free", true};
  // The broker has ended it; nobody would wait for the answer.
  if (now_ns() >= job.deadline_ns) return {"expired before a handler was free", true};
  if (!read_payload(job.payload, job.task)) return {"malformed payload", true};
  try {
    return handle(job);
  } catch (const std::exception& error) {
    return {error.what(), true};
  } catch (...) {
    return {"the handler threw something that is no std::exception", true};
  }
}

}  // namespace mcplane::client
