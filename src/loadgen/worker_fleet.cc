// See worker_fleet.h.
#include "loadgen/worker_fleet.h"

#include <algorithm>
#include <functional>

#include "base/lone_writer.h"
#include "loadgen/ends.h"

namespace mcplane::loadgen {

WorkerFleet::WorkerFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit)
    : options_(options), transmit_(std::move(transmit)), service_random_(options.seed), roll_(options.workers) {
  Random identities(identity_seed);
  workers_.reserve(options.workers);
  for (std::uint32_t i = 0; i < options.workers; ++i) {
    workers_.push_back(
        {client::WorkerEngine(options.broker, worker_hello(options), options.mtu, Random(identities.next())), {}});
    for (std::uint16_t slot = 0; slot < options.worker_slots; ++slot) workers_.back().slots_free_ns.push(0);
  }
  if (options.streams()) streams_.emplace(options.seed, options.stream, options.workers);
}

void WorkerFleet::on_datagram(std::size_t worker, std::span<const std::byte> datagram, const wire::Endpoint& from,
                              std::uint64_t now_ns) {
  assigned_.clear();
  take_outbox(worker);
  workers_[worker].engine.on_datagram(datagram, from, now_ns, outbox_, assigned_);
  for (const client::Assignment& assignment : assigned_) accept(worker, assignment, now_ns);
  roll_.note(static_cast<std::uint32_t>(worker), workers_[worker].engine);
  make_room();
}

void WorkerFleet::on_burst_end(std::size_t worker, std::uint64_t now_ns) {
  take_outbox(worker);
  if (streams_) speak_again(worker, now_ns);
  flush();
}

void WorkerFleet::on_time(std::uint64_t now_ns) {
  finish_due(now_ns);
  if (streams_) speak_due(now_ns);
  if (now_ns >= next_tick_ns_) tick(now_ns);
}

std::uint64_t WorkerFleet::next_wake_ns() const noexcept {
  std::uint64_t next_ns = next_tick_ns_;
  if (!running_.empty()) next_ns = std::min(next_ns, running_.front().due_ns);
  if (streams_ && !streams_->line.empty()) next_ns = std::min(next_ns, streams_->line.front().due_ns);
  return next_ns;
}

void WorkerFleet::tick(std::uint64_t now_ns) {
  next_tick_ns_ = now_ns + kTickNs;
  roll_.begin_tick();
  while (const auto index = roll_.take_start()) {
    take_outbox(*index);
    workers_[*index].engine.start(now_ns, outbox_);
    roll_.note(*index, workers_[*index].engine);
  }
  while (const auto index = roll_.take_due(now_ns)) {
    take_outbox(*index);
    workers_[*index].engine.on_timer(now_ns, outbox_);
    roll_.note(*index, workers_[*index].engine, next_tick_ns_);
  }
  flush();
}

void WorkerFleet::accept(std::size_t worker, const client::Assignment& assignment, std::uint64_t now_ns) {
  const auto prompt = prompts_.read(assignment.payload);
  const FaultyWorkers& faulty = options_.faulty_workers;
  const bool is_odd = is_faulty(worker), fails = is_odd && faulty.form == FaultyWorkers::Form::kFail;
  add_alone(tasks_.all, 1);
  if (is_odd) add_alone(tasks_.faulty, 1);
  const std::uint64_t due_ns = fails ? now_ns : occupy_slot(workers_[worker], is_odd ? faulty.times : 1, now_ns);
  if (prompt && due_ns > now_ns) return run_later(worker, assignment, *prompt, due_ns);
  if (prompt && !fails && streams_) return begin_stream(worker, assignment.token, assignment.attempt, *prompt, now_ns);
  client::WorkerEngine& engine = workers_[worker].engine;
  const auto answer = answer_.write(prompt.value_or("payload is not a TaskPayload"), engine.answer_place(outbox_));
  engine.finish(assignment.token, assignment.attempt, answer, !prompt || fails, now_ns, outbox_);
}

void WorkerFleet::run_later(std::size_t worker, const client::Assignment& assignment, std::string_view prompt,
                            std::uint64_t due_ns) {
  if (answers_free_.empty()) {
    answers_free_.push_back(static_cast<std::uint32_t>(answers_.size()));
    answers_.emplace_back();
  }
  const std::uint32_t place = answers_free_.back();
  answers_free_.pop_back();
  const auto answer = answer_.write(prompt);
  answers_[place].assign(answer.begin(), answer.end());
  running_.push_back({due_ns, worker, assignment.token, assignment.attempt, assignment.sessions, place});
  std::push_heap(running_.begin(), running_.end(), std::greater<>{});
}

// The time at which the slot that is free first has worked this task off.
std::uint64_t WorkerFleet::occupy_slot(Worker& worker, std::uint32_t times, std::uint64_t now_ns) {
  if (options_.service_time.form == ServiceTime::Form::kNone) return now_ns;
  const std::uint64_t start_ns = std::max(now_ns, worker.slots_free_ns.top());
  const std::uint64_t due_ns = start_ns + times * options_.service_time.draw_ns(service_random_);
  worker.slots_free_ns.pop();
  worker.slots_free_ns.push(due_ns);
  return due_ns;
}

void WorkerFleet::finish_due(std::uint64_t now_ns) {
  while (!running_.empty() && running_.front().due_ns <= now_ns) {
    std::pop_heap(running_.begin(), running_.end(), std::greater<>{});
    const Running done = running_.back();
    running_.pop_back();
    take_outbox(done.worker);
    client::WorkerEngine& engine = workers_[done.worker].engine;
    if (done.sessions == engine.sessions()) finish(done, now_ns);
    roll_.note(static_cast<std::uint32_t>(done.worker), engine);
    answers_free_.push_back(done.answer);
  }
  flush();
}

void WorkerFleet::finish(const Running& done, std::uint64_t now_ns) {
  const std::vector<std::byte>& answer = answers_[done.answer];
  if (streams_) return begin_stream(done.worker, done.token, done.attempt, *answer_.read(answer), now_ns);
  workers_[done.worker].engine.finish(done.token, done.attempt, answer, false, now_ns, outbox_);
}

// A burst of the shell may be for several workers, the outbox is for one at a time.
void WorkerFleet::take_outbox(std::size_t worker) {
  if (worker != outbox_owner_) flush();
  outbox_owner_ = worker;
}

void WorkerFleet::make_room() {
  if (outbox_.nearly_full()) flush();
}

void WorkerFleet::flush() {
  if (!outbox_.empty()) transmit_(outbox_owner_, outbox_);
}

void WorkerFleet::close(std::uint64_t now_ns) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    take_outbox(i);
    workers_[i].engine.close(now_ns, outbox_);
    flush();
  }
}

}  // namespace mcplane::loadgen
