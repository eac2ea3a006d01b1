// A run over kernel UDP sockets: the clients on the calling thread, in-process workers on one of their own.
#include <pthread.h>

#include <exception>
#include <optional>
#include <thread>

#include "loadgen/carriers.h"
#include "loadgen/cpu_meter.h"
#include "loadgen/drive.h"
#include "loadgen/run_steps.h"
#include "loadgen/socket_shell.h"
#include "loadgen/worker_fleet.h"

namespace mcplane::loadgen {
namespace {

// The in-process workers on their thread; ends with the object.
class WorkerThread {
 public:
  explicit WorkerThread(const Options& options)
      : wanted_(options.workers),
        shell_(options.workers, options.broker),
        fleet_(options, fresh_seed(), shell_.transmit()),
        thread_([this] { serve(); }) {}
  ~WorkerThread() {
    stop_.store(true, std::memory_order_relaxed);
    thread_.join();
  }
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  std::size_t registered() const noexcept { return registered_.load(std::memory_order_relaxed); }
  const WorkerTasks& tasks() const noexcept { return fleet_.tasks(); }
  bool failed() const noexcept { return failed_.load(std::memory_order_relaxed); }
  pthread_t handle() noexcept { return thread_.native_handle(); }

 private:
  void serve() {
    ask_for_exact_wakeups();
    try {
      drive(fleet_, shell_, [this] {
        if (registered() < wanted_) registered_.store(fleet_.registered(), std::memory_order_relaxed);
        return stop_.load(std::memory_order_relaxed);
      });
      fleet_.close(shell_.now_ns());
    } catch (const std::exception&) {
      failed_.store(true, std::memory_order_relaxed);
    }
  }

  const std::size_t wanted_;
  SocketShell shell_;
  WorkerFleet fleet_;
  // Relaxed, all: a count and two flags; no data is published with them.
  std::atomic<std::size_t> registered_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::thread thread_;
};

class UdpCarrier {
 public:
  UdpCarrier(const Options& options, Progress& progress)
      : options_(options),
        shell_(options.clients, options.broker),
        clients_(options, fresh_seed(), shell_.transmit(), progress) {
    if (options.workers > 0) workers_.emplace(options);
  }

  ClientFleet& clients() noexcept { return clients_; }
  ClientFleet* surge() noexcept { return nullptr; }  // conflict_in() refuses it
  std::size_t workers_registered() const noexcept { return workers_ ? workers_->registered() : 0; }
  const WorkerTasks& worker_tasks() const noexcept { return workers_ ? workers_->tasks() : no_tasks_; }
  bool workers_failed() const noexcept { return workers_ && workers_->failed(); }
  std::uint64_t now_ns() const noexcept { return shell_.now_ns(); }
  template <class Finished>
  void drive(Finished finished) {
    loadgen::drive(clients_, shell_, finished);
  }
  void begin_metering() {
    clients_cpu_.emplace(pthread_self());
    if (workers_) workers_cpu_.emplace(workers_->handle());
  }
  CpuUse cpu() const noexcept {
    return {clients_cpu_ ? clients_cpu_->share() : 0, workers_cpu_ ? workers_cpu_->share() : 0};
  }
  std::string unreachable() const { return udp_unreachable(options_.broker); }

 private:
  const Options& options_;
  SocketShell shell_;
  ClientFleet clients_;
  std::optional<WorkerThread> workers_;
  const WorkerTasks no_tasks_;
  std::optional<CpuMeter> clients_cpu_, workers_cpu_;
};

}  // namespace

RunResult run_over_udp(const Options& options, Progress& progress, const std::atomic<bool>& stop) {
  ask_for_exact_wakeups();
  UdpCarrier carrier(options, progress);
  RunResult result = RunSteps(carrier, options, stop).run();
  if (carrier.workers_failed()) return failed_run("the in-process workers' sockets stopped sending");
  return result;
}

}  // namespace mcplane::loadgen
