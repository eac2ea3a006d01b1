// In-process workers: M protocol engines that echo each task's prompt after a drawn service time, or stream an answer
// of their own from then on. Sans-I/O as ClientFleet is, and driven by the same shells. One thread. No task that is
// echoed allocates once as many have been running.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <span>
#include <vector>

#include "client/worker_engine.h"
#include "loadgen/client_fleet.h"
#include "loadgen/engine_roll.h"
#include "loadgen/options.h"
#include "loadgen/pattern.h"
#include "loadgen/worker_streams.h"

namespace mcplane::loadgen {

// Tasks that workers were given. Written by: the workers' thread. Read by: the clients', when theirs have ended.
// Relaxed: two counts, with which nothing is published.
struct WorkerTasks {
  std::atomic<std::uint64_t> all{0}, faulty{0};  // faulty: by workers that Options::faulty_workers names
};

class WorkerFleet {
 public:
  WorkerFleet(const Options& options, std::uint64_t identity_seed, Transmit transmit);

  void on_datagram(std::size_t worker, std::span<const std::byte> datagram, const wire::Endpoint& from,
                   std::uint64_t now_ns);
  void on_burst_end(std::size_t worker, std::uint64_t now_ns);
  void prefetch(std::size_t worker) const noexcept { prefetch_object(workers_[worker]); }
  void prefetch(std::size_t worker, std::span<const std::byte> datagram) const noexcept {
    workers_[worker].engine.prefetch(datagram);
  }
  void on_time(std::uint64_t now_ns);
  std::uint64_t next_wake_ns() const noexcept;

  std::size_t registered() const noexcept { return roll_.registered(); }
  const WorkerTasks& tasks() const noexcept { return tasks_; }
  void close(std::uint64_t now_ns);

 private:
  struct Worker {
    client::WorkerEngine engine;
    // When each slot is free again. The broker may send ahead of free slots; such a task starts when one is.
    std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> slots_free_ns;
  };
  struct Running {
    std::uint64_t due_ns = 0;
    std::size_t worker = 0;
    TaskToken token;
    std::uint8_t attempt = 0;
    std::uint32_t sessions = 0;  // the engine's when it came
    std::uint32_t answer = 0;    // index into answers_
    friend bool operator>(const Running& a, const Running& b) noexcept { return a.due_ns > b.due_ns; }
  };

  void tick(std::uint64_t now_ns);
  void accept(std::size_t worker, const client::Assignment& assignment, std::uint64_t now_ns);
  bool is_faulty(std::size_t worker) const noexcept {
    return worker >= workers_.size() - options_.faulty_workers.count;
  }
  std::uint64_t occupy_slot(Worker& worker, std::uint32_t times, std::uint64_t now_ns);
  void run_later(std::size_t worker, const client::Assignment& assignment, std::string_view prompt,
                 std::uint64_t due_ns);
  void finish_due(std::uint64_t now_ns);
  void finish(const Running& done, std::uint64_t now_ns);
  void take_outbox(std::size_t worker);
  void make_room();
  void flush();

  // worker_streams.cc
  void begin_stream(std::size_t worker, TaskToken token, std::uint8_t attempt, std::string_view prompt,
                    std::uint64_t now_ns);
  void speak(WorkerStreams::Stream stream, std::uint64_t now_ns);
  void speak_due(std::uint64_t now_ns);
  void speak_again(std::size_t worker, std::uint64_t now_ns);

  const Options options_;
  Transmit transmit_;
  Random service_random_;
  std::vector<Worker> workers_;
  EngineRoll roll_;
  const PromptReader prompts_;
  AnswerWriter answer_;
  std::vector<Running> running_;  // heap, the first due on top
  // Of running tasks; the room of a finished one is used again.
  std::vector<std::vector<std::byte>> answers_;
  std::vector<std::uint32_t> answers_free_;
  client::Outbox outbox_;
  std::size_t outbox_owner_ = 0;  // the worker whose datagrams it holds
  std::vector<client::Assignment> assigned_;
  std::uint64_t next_tick_ns_ = 0;
  WorkerTasks tasks_;
  std::optional<WorkerStreams> streams_;
};

}  // namespace mcplane::loadgen
