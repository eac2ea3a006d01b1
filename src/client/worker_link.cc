// See worker_link.h.
#include "client/worker_link.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/endpoint_setup.h"
#include "client/task_id.h"
#include "wire/payload.h"

namespace mcplane::client {

namespace {

constexpr int kLinkBurstsMax = 16;
constexpr int kLinkTimersMax = 300;  // a registration may owe 256 shards a PING each

}  // namespace

WorkerLink::WorkerLink(const wire::Endpoint& broker, const wire::HelloBody& hello, EventLoop& loop, std::size_t number)
    : loop_(loop), socket_(broker), engine_(broker, hello, kMtu, random_source()), number_(number) {
  loop_.add(socket_.fd());
  engine_.start(now_ns(), outbox_);
  flush();
  check_first_send(socket_.refusal(), broker);
}

void WorkerLink::turn(HandlerPool& pool) {
  receive(pool);
  emit_pieces();
  const std::uint64_t now = now_ns();
  for (int i = 0; i < kLinkTimersMax && engine_.next_timer_ns() <= now; ++i) {
    engine_.on_timer(now, outbox_);
    if (outbox_.full()) flush();
  }
  flush();
}

void WorkerLink::receive(HandlerPool& pool) {
  for (int i = 0; i < kLinkBurstsMax; ++i) {
    const auto burst = socket_.receive();
    if (burst.empty()) return;
    const std::uint64_t now = now_ns();
    for (const auto& received : burst) {
      engine_.on_datagram(received.datagram, received.from, now, outbox_, assigned_);
      for (const auto& assignment : assigned_) begin(assignment, now, pool);
      assigned_.clear();
    }
    flush();
  }
}

void WorkerLink::begin(const Assignment& assigned, std::uint64_t now, HandlerPool& pool) {
  Job job = job_of(assigned, now);
  job.stream = pool.make_stream();
  if (job.stream) streams_.push_back({job.sessions, job.token, job.attempt, job.stream, {}});
  pool.push(std::move(job));
}

bool WorkerLink::finish(FinishedJob finished) {
  const auto stream = std::ranges::find_if(streams_, [&](const Stream& open) {
    return open.sessions == finished.sessions && open.token == finished.token && open.attempt == finished.attempt;
  });
  if (stream == streams_.end()) return send_end(finished);
  const bool wanted = !stream->pieces->cancelled();
  stream->end = std::move(finished);
  return wanted;
}

bool WorkerLink::send_end(const FinishedJob& finished) {
  if (finished.sessions != engine_.sessions()) return false;
  if (outbox_.full()) flush();
  const auto bytes = wire::write_answer(finished.answer.text);
  return engine_.finish(finished.token, finished.attempt, bytes, finished.answer.error, now_ns(), outbox_);
}

void WorkerLink::emit_pieces() {
  std::erase_if(streams_, [this](Stream& stream) { return !emit(stream); });
}

// As much as the client has room for.
bool WorkerLink::emit(Stream& stream) {
  const bool gone = stream.sessions != engine_.sessions() || engine_.cancelled(stream.token, stream.attempt);
  if (gone) stream.pieces->end();
  while (!gone && engine_.emit_room(stream.token, stream.attempt) > 0) {
    const auto piece = stream.pieces->take();
    if (!piece) break;
    if (outbox_.full()) flush();
    engine_.emit(stream.token, stream.attempt, *piece, now_ns(), outbox_);
  }
  if (!stream.end || !stream.pieces->empty()) return true;
  send_end(*stream.end);
  return false;
}

void WorkerLink::end_streams() {
  for (const Stream& stream : streams_) stream.pieces->end();
}

void WorkerLink::give_back(const Job& job) {
  std::erase_if(streams_, [&](const Stream& stream) { return stream.pieces == job.stream; });
  if (job.sessions != engine_.sessions()) return;
  if (outbox_.full()) flush();
  engine_.give_back(job.token, job.attempt, now_ns(), outbox_);
}

void WorkerLink::close() {
  if (outbox_.full()) flush();
  engine_.close(now_ns(), outbox_);
}

void WorkerLink::flush() { loop_.want_write(socket_.fd(), !socket_.send(outbox_)); }

Job WorkerLink::job_of(const Assignment& assigned, std::uint64_t now) const {
  Job job;
  job.link = number_;
  job.sessions = assigned.sessions;
  job.token = assigned.token;
  job.attempt = assigned.attempt;
  job.node = engine_.session().id().value;
  job.came_ns = now;
  job.trace = assigned.trace;
  job.deadline_ns = now + assigned.ttl_ms * kNsPerMs;
  job.task.id = task_id_text(assigned.task_id, assigned.route->task_id_text);
  job.task.action = assigned.route->action;
  job.task.model = assigned.route->model;
  for (const auto tag : assigned.route->tag_list()) job.task.tags.emplace_back(tag);
  job.task.ttl = std::chrono::milliseconds(assigned.ttl_ms);
  job.task.priority = wire::priority_of(assigned.flags);
  job.task.idempotent = wire::has(assigned.flags, wire::Flag::Idempotent);
  job.task.shadow = wire::is_shadow(assigned.flags);
  job.payload.assign(assigned.payload.begin(), assigned.payload.end());
  return job;
}

}  // namespace mcplane::client
