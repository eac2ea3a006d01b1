// The steps of a run, whatever carries its datagrams: everything registers, tasks are sent for a while, answers are
// awaited. A carrier has
//   clients()              the ClientFleet
//   surge()                that of the surge, or null
//   workers_registered()
//   worker_tasks()
//   now_ns()
//   drive(finished)        moves datagrams and time until finished(), which it asks at least every kTickNs
//   begin_metering()       from here on, for cpu()
//   cpu()
//   unreachable()          why nobody may have answered, one line
// One thread, which owns the carrier.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "loadgen/client_fleet.h"
#include "loadgen/run.h"

namespace mcplane::loadgen {

// Without any registration; and without one more, which takes a while where most frames are lost.
inline constexpr std::uint64_t kConnectTimeoutNs = 5 * kNsPerSecond, kMoreTimeoutNs = 10 * kNsPerSecond;
// From a worker's registration to its first task: it must have reached every shard, and its route been published.
inline constexpr std::uint64_t kSettleNs = 100 * kNsPerMs;

RunResult failed_run(std::string problem);
// Some of those `wanted` never registered: in one line, what to do. `limited`: whom the broker may have an option for.
std::string too_few(const Options& options, std::size_t registered, std::size_t wanted, std::string_view what,
                    std::string_view limited);

// Drives until finished(), or until there() is 0 for kConnectTimeoutNs, or more and has not grown for kMoreTimeoutNs.
template <class Carrier, class There, class Finished>
void await(Carrier& carrier, There there, Finished finished) {
  std::size_t most = 0;
  std::uint64_t give_up_ns = carrier.now_ns() + kConnectTimeoutNs;
  carrier.drive([&] {
    const std::uint64_t now_ns = carrier.now_ns();
    const std::size_t now_there = there();
    if (now_there > most) give_up_ns = now_ns + kMoreTimeoutNs;
    most = std::max(most, now_there);
    return finished() || now_ns >= give_up_ns;
  });
}

template <class Carrier>
class RunSteps {
 public:
  RunSteps(Carrier& carrier, const Options& options, const std::atomic<bool>& stop)
      : carrier_(carrier), options_(options), stop_(stop) {}

  RunResult run() {
    RunResult result = connect();
    if (result.status != RunStatus::kFinished) return result;
    if (options_.sweep)
      sweep(result);
    else
      result.tally = load(options_.profile(), result);
    result.tally.add_counts(carrier_.clients().close(carrier_.now_ns()));
    if (ClientFleet* const surge = carrier_.surge()) result.surge->add_counts(surge->close(carrier_.now_ns()));
    result.worker_tasks = carrier_.worker_tasks().all.load(std::memory_order_relaxed);
    result.faulty_worker_tasks = carrier_.worker_tasks().faulty.load(std::memory_order_relaxed);
    return result;
  }

 private:
  // One load, up to its last answer. Sets the CPU use and whether it was cut short.
  Tally load(const RateProfile& profile, RunResult& result) {
    ClientFleet& clients = carrier_.clients();
    ClientFleet* const surge = carrier_.surge();
    carrier_.begin_metering();
    const std::uint64_t began_ns = carrier_.now_ns();
    clients.begin(began_ns, profile);
    if (surge != nullptr) surge->begin(began_ns + options_.surge.after_ns);
    carrier_.drive([&] { return !clients.sending() || interrupted(); });
    result.interrupted = clients.sending();
    clients.stop(carrier_.now_ns());
    result.cpu = carrier_.cpu();
    if (surge != nullptr) surge->stop(carrier_.now_ns());
    carrier_.drive([&] { return clients.done() && (surge == nullptr || surge->done()); });
    if (surge != nullptr) result.surge = surge->take_tally();
    return clients.take_tally();
  }

  // One load after the other. Of the highest that held, the result has what was measured.
  void sweep(RunResult& result) {
    KneeSearch search(*options_.sweep, options_.objectives.p99_max_ns);
    CpuUse shown_cpu;
    for (auto rate = search.next_rate(); rate && !result.interrupted; rate = search.next_rate()) {
      Tally tally = load({.per_second = *rate}, result);
      // What was cut short says nothing of its rate.
      const bool first = search.steps().empty();
      const bool shown = !result.interrupted && (search.add(step_of(*rate, tally, result.cpu.clients)) || first);
      if (shown) {
        std::swap(result.tally, tally);
        shown_cpu = result.cpu;
      }
      result.tally.add_counts(tally);
      pause(kSettleNs);
    }
    result.cpu = shown_cpu;
    result.sweep = search.steps();
    result.knee_per_second = search.knee_per_second();
    result.sweep_p99_max_ns = search.p99_max_ns();
  }

  void pause(std::uint64_t for_ns) {
    const std::uint64_t until_ns = carrier_.now_ns() + for_ns;
    carrier_.drive([&] { return carrier_.now_ns() >= until_ns; });
  }
  bool interrupted() const noexcept { return stop_.load(std::memory_order_relaxed); }

  // Why tasks cannot be sent yet; kFinished: they can.
  RunResult connect() {
    ClientFleet& clients = carrier_.clients();
    const auto clients_there = [&] { return clients_registered(); };
    const auto workers_there = [&] { return carrier_.workers_registered(); };
    const std::uint64_t began_ns = carrier_.now_ns();
    const std::uint32_t clients_wanted = options_.clients + options_.surge_clients();
    if (const std::size_t there = await_all(clients_there, clients_wanted); there < clients_wanted)
      return incomplete(there, clients_wanted, "clients");
    if (const std::size_t there = await_all(workers_there, options_.workers); there < options_.workers)
      return incomplete(there, options_.workers, "workers");
    RunResult result;
    result.registration_ns = carrier_.now_ns() - began_ns;
    const auto prompt_max = prompt_bytes_max(options_, clients.frame_bytes_min());
    const auto chunk_max = chunk_bytes_max(options_, clients.frame_bytes_min());
    if (options_.stream.chunk_bytes > chunk_max)
      return failed_run(fmt::format("--stream: a chunk of {}B does not fit the broker's frames: at most {}B",
                                    options_.stream.chunk_bytes, chunk_max));
    if (options_.prompt_sizes.form == PromptSizes::Form::kExponential) clients.bound_prompts(prompt_max);
    if (options_.workers > 0) pause(kSettleNs);
    return result;
  }

  // Drives until the count that `registered` returns is `wanted`; what it is in the end.
  template <class Registered>
  std::size_t await_all(Registered registered, std::size_t wanted) {
    // All register at once, so that any one of them shows that the broker is at it.
    const auto there = [&] { return clients_registered() + carrier_.workers_registered(); };
    await(carrier_, there, [&] { return registered() == wanted || interrupted(); });
    return registered();
  }

  std::size_t clients_registered() const noexcept {
    const ClientFleet* const surge = carrier_.surge();
    return carrier_.clients().registered() + (surge == nullptr ? 0 : surge->registered());
  }

  RunResult incomplete(std::size_t registered, std::size_t wanted, std::string_view what) const {
    if (interrupted()) return failed_run("interrupted before the first task");
    RunResult result;
    result.status = RunStatus::kUnreachable;
    result.problem = registered == 0 ? carrier_.unreachable() : too_few(options_, registered, wanted, what, what);
    return result;
  }

  Carrier& carrier_;
  const Options& options_;
  const std::atomic<bool>& stop_;
};

}  // namespace mcplane::loadgen
