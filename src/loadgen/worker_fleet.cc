// See worker_fleet.h.
#include "loadgen/worker_fleet.h"

#include <algorithm>
#include <functional>

namespace mcplane::loadgen {
namespace {

constexpr std::size_t kHellosPerTick = 32;
constexpr std::size_t kOutboxRoomMin = 8;

wire::HelloBody hello_of(const Options& options) {
  wire::HelloBody hello;
  hello.service = wire::Service::kWorker;
  hello.slots = options.worker_slots;
  hello.name = "mcplane-load-worker";
  hello.actions = {options.action};
  return hello;
}

}  // namespace

WorkerFleet::WorkerFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit)
    : options_(options), transmit_(std::move(transmit)), service_random_(options.seed) {
  Random identities(identity_seed);
  workers_.reserve(options.workers);
  for (std::uint32_t i = 0; i < options.workers; ++i) {
    workers_.push_back(
        {client::WorkerEngine(options.broker, hello_of(options), kMtuBytes, Random(identities.next())), {}, false});
    for (std::uint16_t slot = 0; slot < options.worker_slots; ++slot) workers_.back().slots_free_ns.push(0);
  }
}

void WorkerFleet::on_datagram(std::size_t worker, std::span<const std::byte> datagram, const wire::Endpoint& from,
                              std::uint64_t now_ns) {
  assigned_.clear();
  workers_[worker].engine.on_datagram(datagram, from, now_ns, outbox_, assigned_);
  for (const client::Assignment& assignment : assigned_) accept(worker, assignment, now_ns);
  if (outbox_.entries().size() + kOutboxRoomMin > client::Outbox::kDatagrams) flush(worker);
}

void WorkerFleet::on_burst_end(std::size_t worker, std::uint64_t) { flush(worker); }

void WorkerFleet::on_time(std::uint64_t now_ns) {
  finish_due(now_ns);
  if (now_ns >= next_tick_ns_) tick(now_ns);
}

std::uint64_t WorkerFleet::next_wake_ns() const noexcept {
  return running_.empty() ? next_tick_ns_ : std::min(next_tick_ns_, running_.front().due_ns);
}

void WorkerFleet::tick(std::uint64_t now_ns) {
  next_tick_ns_ = now_ns + kTickNs;
  std::size_t hellos = 0;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (!worker.started && hellos < kHellosPerTick) {
      worker.started = true;
      worker.engine.start(now_ns, outbox_);
      ++hellos;
    } else if (worker.started && worker.engine.next_timer_ns() <= now_ns) {
      worker.engine.on_timer(now_ns, outbox_);
    }
    flush(i);
  }
}

void WorkerFleet::accept(std::size_t worker, const client::Assignment& assignment, std::uint64_t now_ns) {
  const auto task = wire::read_task_payload(assignment.payload);
  std::vector<std::byte> answer = wire::write_answer(task ? task->prompt : "payload is not a TaskPayload");
  const std::uint64_t due_ns = occupy_slot(workers_[worker], now_ns);
  if (!task || due_ns <= now_ns) {
    workers_[worker].engine.finish(assignment.token, assignment.attempt, answer, !task, now_ns, outbox_);
    return;
  }
  running_.push_back({due_ns, worker, assignment.token, assignment.attempt, std::move(answer)});
  std::push_heap(running_.begin(), running_.end(), std::greater<>{});
}

// The time at which the slot that is free first has worked this task off.
std::uint64_t WorkerFleet::occupy_slot(Worker& worker, std::uint64_t now_ns) {
  if (options_.service_time.form == ServiceTime::Form::kNone) return now_ns;
  const std::uint64_t start_ns = std::max(now_ns, worker.slots_free_ns.top());
  const std::uint64_t due_ns = start_ns + options_.service_time.draw_ns(service_random_);
  worker.slots_free_ns.pop();
  worker.slots_free_ns.push(due_ns);
  return due_ns;
}

void WorkerFleet::finish_due(std::uint64_t now_ns) {
  while (!running_.empty() && running_.front().due_ns <= now_ns) {
    std::pop_heap(running_.begin(), running_.end(), std::greater<>{});
    const Running done = std::move(running_.back());
    running_.pop_back();
    workers_[done.worker].engine.finish(done.token, done.attempt, done.answer, false, now_ns, outbox_);
    flush(done.worker);
  }
}

void WorkerFleet::flush(std::size_t worker) {
  if (outbox_.empty()) return;
  transmit_(worker, outbox_);
}

std::size_t WorkerFleet::registered() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.engine.session().registered(); }));
}

void WorkerFleet::close(std::uint64_t now_ns) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i].engine.close(now_ns, outbox_);
    flush(i);
  }
}

}  // namespace mcplane::loadgen
