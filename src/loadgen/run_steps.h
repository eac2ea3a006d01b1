// The steps of a run, whatever carries its datagrams: everything registers, tasks are sent for a while, answers are
// awaited. A carrier has
//   clients()              the ClientFleet
//   workers_registered()
//   now_ns()
//   drive(finished)        moves datagrams and time until finished(), which it asks at least every kTickNs
//   begin_metering()       from here on, for cpu()
//   cpu()
//   unreachable()          why nobody may have answered, one line
// One thread, which owns the carrier.
#pragma once

#include <fmt/format.h>

#include <atomic>

#include "loadgen/client_fleet.h"
#include "loadgen/run.h"

namespace mcplane::loadgen {

inline constexpr std::uint64_t kConnectTimeoutNs = 5 * kNsPerSecond;
// From a worker's registration to its first task: it must have reached every shard, and its route been published.
inline constexpr std::uint64_t kSettleNs = 100 * kNsPerMs;

RunResult failed_run(std::string problem);

template <class Carrier>
class RunSteps {
 public:
  RunSteps(Carrier& carrier, const Options& options, const std::atomic<bool>& stop)
      : carrier_(carrier), options_(options), stop_(stop) {}

  RunResult run() {
    RunResult result = connect();
    if (result.status != RunStatus::kFinished) return result;
    ClientFleet& clients = carrier_.clients();
    carrier_.begin_metering();
    clients.begin(carrier_.now_ns());
    carrier_.drive([&] { return !clients.sending() || interrupted(); });
    result.interrupted = clients.sending();
    clients.stop(carrier_.now_ns());
    result.cpu = carrier_.cpu();
    carrier_.drive([&] { return clients.done(); });
    result.tally = clients.close(carrier_.now_ns());
    return result;
  }

 private:
  bool interrupted() const noexcept { return stop_.load(std::memory_order_relaxed); }

  // Why tasks cannot be sent yet; kFinished: they can.
  RunResult connect() {
    ClientFleet& clients = carrier_.clients();
    const auto clients_there = [&] { return clients.registered(); };
    const auto workers_there = [&] { return carrier_.workers_registered(); };
    if (const std::size_t there = await(clients_there, options_.clients); there < options_.clients)
      return incomplete(there, options_.clients, "clients");
    if (const std::size_t there = await(workers_there, options_.workers); there < options_.workers)
      return incomplete(there, options_.workers, "workers");
    const auto prompt_max = prompt_bytes_max(options_, clients.frame_bytes_min());
    if (options_.prompt_bytes > prompt_max)
      return failed_run(fmt::format("--payload {}B does not fit this broker's frames: at most {}B",
                                    options_.prompt_bytes, prompt_max));
    if (options_.workers > 0) {
      const std::uint64_t settled_ns = carrier_.now_ns() + kSettleNs;
      carrier_.drive([&] { return carrier_.now_ns() >= settled_ns; });
    }
    return {};
  }

  // Drives until the count that `registered` returns is `wanted`; what it is in the end.
  template <class Registered>
  std::size_t await(Registered registered, std::size_t wanted) {
    const std::uint64_t give_up_ns = carrier_.now_ns() + kConnectTimeoutNs;
    carrier_.drive([&] { return registered() == wanted || carrier_.now_ns() >= give_up_ns || interrupted(); });
    return registered();
  }

  RunResult incomplete(std::size_t registered, std::size_t wanted, std::string_view what) const {
    if (interrupted()) return failed_run("interrupted before the first task");
    RunResult result;
    result.status = RunStatus::kUnreachable;
    result.problem = registered == 0
                         ? carrier_.unreachable()
                         : fmt::format("{} registered {} of {} {} in 5 s: ask for fewer, or raise its --max-{}",
                                       wire::to_string(options_.broker), registered, wanted, what, what);
    return result;
  }

  Carrier& carrier_;
  const Options& options_;
  const std::atomic<bool>& stop_;
};

}  // namespace mcplane::loadgen
