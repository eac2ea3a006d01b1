// See worker_link.h.
#include "client/worker_link.h"

#include <chrono>

#include "client/endpoint_setup.h"
#include "client/task_id.h"
#include "wire/payload.h"

namespace mcplane::client {

namespace {

constexpr int kBurstsMax = 16;
constexpr int kTimersMax = 300;  // a registration may owe 256 shards a PING each

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
  const std::uint64_t now = now_ns();
  for (int i = 0; i < kTimersMax && engine_.next_timer_ns() <= now; ++i) {
    engine_.on_timer(now, outbox_);
    if (outbox_.full()) flush();
  }
  flush();
}

void WorkerLink::receive(HandlerPool& pool) {
  for (int i = 0; i < kBurstsMax; ++i) {
    const auto burst = socket_.receive();
    if (burst.empty()) return;
    const std::uint64_t now = now_ns();
    for (const auto& received : burst) {
      engine_.on_datagram(received.datagram, received.from, now, outbox_, assigned_);
      for (const auto& assignment : assigned_) pool.push(job_of(assignment, now));
      assigned_.clear();
    }
    flush();
  }
}

bool WorkerLink::finish(const FinishedJob& finished) {
  if (finished.sessions != engine_.sessions()) return false;
  if (outbox_.full()) flush();
  const auto bytes = wire::write_answer(finished.answer.text);
  return engine_.finish(finished.token, finished.attempt, bytes, finished.answer.error, now_ns(), outbox_);
}

void WorkerLink::give_back(const Job& job) {
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
