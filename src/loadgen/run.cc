// See run.h.
#include "loadgen/run.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <ctime>
#include <exception>
#include <optional>
#include <random>
#include <thread>

#include "loadgen/client_fleet.h"
#include "loadgen/drive.h"
#include "loadgen/socket_shell.h"
#include "loadgen/worker_fleet.h"

namespace mcplane::loadgen {
namespace {

constexpr std::uint64_t kConnectTimeoutNs = 5 * kNsPerSecond;
// From a worker's registration to its first task: it must have reached every shard, and its route been published.
constexpr std::uint64_t kSettleNs = 100 * kNsPerMs;
constexpr const char* kInterrupted = "interrupted before the first task";

std::uint64_t read_clock_ns(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(time.tv_nsec);
}

// The default slack of 50 us would show in every latency.
void ask_for_exact_wakeups() noexcept { prctl(PR_SET_TIMERSLACK, 1UL); }

std::uint64_t fresh_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

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

RunResult failed(std::string problem) {
  RunResult result;
  result.status = RunStatus::kFailed;
  result.problem = std::move(problem);
  return result;
}

RunResult unreachable(const Options& options, std::size_t registered, std::size_t wanted, std::string_view what) {
  RunResult result;
  result.status = RunStatus::kUnreachable;
  const std::string broker = wire::to_string(options.broker);
  result.problem = registered == 0
                       ? fmt::format("no answer from {} in 5 s: is the broker there? try: ping {}", broker,
                                     wire::to_string(options.broker.ip))
                       : fmt::format("{} registered {} of {} {} in 5 s: ask for fewer, or raise its --max-{}", broker,
                                     registered, wanted, what, what);
  return result;
}

// Drives the clients until the count that `registered` returns is `wanted`; what it is in the end.
template <class Registered>
std::size_t await_registered(ClientFleet& fleet, SocketShell& shell, const std::atomic<bool>& stop,
                             Registered registered, std::size_t wanted) {
  const std::uint64_t give_up_ns = shell.now_ns() + kConnectTimeoutNs;
  drive(fleet, shell,
        [&] { return registered() == wanted || shell.now_ns() >= give_up_ns || stop.load(std::memory_order_relaxed); });
  return registered();
}

// Why tasks cannot be sent yet; kFinished: they can.
RunResult connect(const Options& options, ClientFleet& fleet, SocketShell& shell, const WorkerThread* workers,
                  const std::atomic<bool>& stop) {
  const auto interrupted = [&] { return stop.load(std::memory_order_relaxed); };
  const std::size_t clients = await_registered(
      fleet, shell, stop, [&] { return fleet.registered(); }, options.clients);
  if (interrupted()) return failed(kInterrupted);
  if (clients < options.clients) return unreachable(options, clients, options.clients, "clients");
  const auto workers_there = [&] { return workers == nullptr ? std::size_t{0} : workers->registered(); };
  const std::size_t registered = await_registered(fleet, shell, stop, workers_there, options.workers);
  if (interrupted()) return failed(kInterrupted);
  if (registered < options.workers) return unreachable(options, registered, options.workers, "workers");
  if (const auto prompt_max = prompt_bytes_max(options, fleet.frame_bytes_min()); options.prompt_bytes > prompt_max)
    return failed(
        fmt::format("--payload {}B does not fit this broker's frames: at most {}B", options.prompt_bytes, prompt_max));
  if (workers != nullptr) {
    const std::uint64_t settled_ns = shell.now_ns() + kSettleNs;
    drive(fleet, shell, [&] { return shell.now_ns() >= settled_ns; });
  }
  return {};
}

RunResult run_or_throw(const Options& options, Progress& progress, const std::atomic<bool>& stop) {
  ask_for_exact_wakeups();
  SocketShell shell(options.clients, options.broker);
  ClientFleet fleet(options, fresh_seed(), shell.transmit(), progress);
  std::optional<WorkerThread> workers;
  if (options.workers > 0) workers.emplace(options);

  RunResult result = connect(options, fleet, shell, workers ? &*workers : nullptr, stop);
  if (result.status != RunStatus::kFinished) return result;
  const CpuMeter clients_cpu(pthread_self());
  const CpuMeter workers_cpu(workers ? workers->handle() : pthread_self());
  fleet.begin(shell.now_ns());
  drive(fleet, shell, [&] { return !fleet.sending() || stop.load(std::memory_order_relaxed); });
  result.interrupted = fleet.sending();
  fleet.stop(shell.now_ns());
  result.cpu = {clients_cpu.share(), workers ? workers_cpu.share() : 0};
  drive(fleet, shell, [&] { return fleet.done(); });
  result.tally = fleet.close(shell.now_ns());
  if (workers && workers->failed()) return failed("the in-process workers' sockets stopped sending");
  return result;
}

}  // namespace

RunResult run(const Options& options, Progress& progress, const std::atomic<bool>& stop) noexcept {
  try {
    return run_or_throw(options, progress, stop);
  } catch (const std::exception& error) {
    return failed(error.what());
  }
}

bool was_bottleneck(const Options& options, const RunResult& result) noexcept {
  return options.open_loop() && result.tally.late > 0 && result.cpu.clients > kSaturatedShare;
}

bool objective_met(const RunResult& result) noexcept {
  const Tally& tally = result.tally;
  return tally.lost() == 0 && tally.mismatched == 0 && tally.duplicates == 0 && tally.delivered() > 0;
}

}  // namespace mcplane::loadgen
