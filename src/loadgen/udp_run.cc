// A run over kernel UDP sockets: the clients on the calling thread, in-process workers on one of their own.
#include <fmt/format.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <ctime>
#include <exception>
#include <optional>
#include <thread>

#include "loadgen/carriers.h"
#include "loadgen/drive.h"
#include "loadgen/run_steps.h"
#include "loadgen/socket_shell.h"
#include "loadgen/worker_fleet.h"

namespace mcplane::loadgen {
namespace {

std::uint64_t read_clock_ns(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(time.tv_nsec);
}

// The default slack of 50 us would show in every latency.
void ask_for_exact_wakeups() noexcept { prctl(PR_SET_TIMERSLACK, 1UL); }

// CPU time of one thread, per elapsed time.
class CpuMeter {
 public:
  explicit CpuMeter(pthread_t thread) {
    pthread_getcpuclockid(thread, &clock_);
    cpu_ns_ = read_clock_ns(clock_);
    elapsed_ns_ = read_clock_ns(CLOCK_MONOTONIC);
  }
  double share() const noexcept {
    const std::uint64_t elapsed_ns = read_clock_ns(CLOCK_MONOTONIC) - elapsed_ns_;
    return elapsed_ns == 0 ? 0 : static_cast<double>(read_clock_ns(clock_) - cpu_ns_) / static_cast<double>(elapsed_ns);
  }

 private:
  clockid_t clock_{};
  std::uint64_t cpu_ns_ = 0, elapsed_ns_ = 0;
};

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
  std::string unreachable() const {
    return fmt::format("no answer from {} in 5 s: is the broker there? try: ping {}", wire::to_string(options_.broker),
                       wire::to_string(options_.broker.ip));
  }

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
