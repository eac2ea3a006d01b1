// The steps of a run of events, whatever carries its datagrams. See event_run.h.
#include "loadgen/event_run.h"

#include <fmt/format.h>

#include <exception>
#include <optional>

#include "client/outcome.h"
#include "loadgen/carriers.h"
#include "loadgen/cpu_meter.h"
#include "loadgen/drive.h"
#include "loadgen/event_fleet.h"
#include "loadgen/port_end.h"
#include "loadgen/port_shell.h"
#include "loadgen/run_steps.h"
#include "loadgen/socket_shell.h"

namespace mcplane::loadgen {
namespace {

class UdpEvents {
 public:
  UdpEvents(const Options& options, Progress& progress)
      : options_(options),
        shell_(options.endpoints(), options.broker),
        fleet_(options, fresh_seed(), shell_.transmit(), progress) {}

  EventFleet& fleet() noexcept { return fleet_; }
  std::uint64_t now_ns() const noexcept { return shell_.now_ns(); }
  template <class Finished>
  void drive(Finished finished) {
    loadgen::drive(fleet_, shell_, finished);
  }
  void begin_metering() { cpu_.emplace(pthread_self()); }
  double busy() const noexcept { return cpu_->share(); }
  std::string unreachable() const { return udp_unreachable(options_.broker); }

 private:
  const Options& options_;
  SocketShell shell_;
  EventFleet fleet_;
  std::optional<CpuMeter> cpu_;
};

class PortEvents {
 public:
  PortEvents(const Options& options, net::DpdkPort& port, Progress& progress)
      : end_(options, port, options.endpoints()),
        fleet_(options, fresh_seed(), end_.shell().transmit_from(0), progress) {}

  EventFleet& fleet() noexcept { return fleet_; }
  std::uint64_t now_ns() const noexcept { return end_.now_ns(); }
  template <class Finished>
  void drive(Finished finished) {
    end_.drive(finished, fleet_);
  }
  void begin_metering() noexcept { end_.begin_metering(); }
  double busy() const noexcept { return end_.busy(); }
  std::string unreachable() const { return end_.unreachable(); }
  const PortCounts& counts() const noexcept { return end_.counts(); }

 private:
  PortEnd<PortShell<net::DpdkNic, PortClock>> end_;
  EventFleet fleet_;
};

EventResult ended(RunStatus status, std::string problem) {
  EventResult result;
  result.status = status;
  result.problem = std::move(problem);
  return result;
}

template <class Carrier>
class EventSteps {
 public:
  EventSteps(Carrier& carrier, const Options& options, const std::atomic<bool>& stop)
      : carrier_(carrier), fleet_(carrier.fleet()), options_(options), stop_(stop) {}

  EventResult run() {
    EventResult result = connect();
    if (result.status != RunStatus::kFinished) return result;
    carrier_.begin_metering();
    fleet_.begin(carrier_.now_ns());
    carrier_.drive([&] { return !fleet_.sending() || interrupted(); });
    result.interrupted = fleet_.sending();
    fleet_.stop(carrier_.now_ns());
    result.busy = carrier_.busy();
    carrier_.drive([&] { return fleet_.done(); });
    result.tally = fleet_.close(carrier_.now_ns());
    const std::uint64_t left_ns = carrier_.now_ns() + kGoodbyeNs;
    carrier_.drive([&] { return carrier_.now_ns() >= left_ns; });
    return result;
  }

 private:
  bool interrupted() const noexcept { return stop_.load(std::memory_order_relaxed); }

  // Until all have registered and subscribed, or nobody more has for a while.
  EventResult connect() {
    const std::uint64_t began_ns = carrier_.now_ns();
    const std::size_t wanted = options_.endpoints() + options_.subscribers;
    const auto there = [&] { return fleet_.registered() + fleet_.subscribed(); };
    await(carrier_, there, [&] { return there() == wanted || interrupted() || fleet_.refusal() != wire::Reason::Ok; });
    if (there() < wanted) return incomplete();
    if (const auto most = prompt_bytes_max(options_, fleet_.frame_bytes_min()); options_.prompt_bytes > most)
      return ended(RunStatus::kFailed, fmt::format("--payload {}B does not fit this broker's frames: at most {}B",
                                                   options_.prompt_bytes, most));
    EventResult result;
    result.registration_ns = carrier_.now_ns() - began_ns;
    return result;
  }

  EventResult incomplete() const {
    if (interrupted()) return ended(RunStatus::kFailed, "interrupted before the first event");
    if (fleet_.refusal() != wire::Reason::Ok)
      return ended(RunStatus::kFailed, fmt::format("{} refuses a subscription: {}", wire::to_string(options_.broker),
                                                   client::reason_word(fleet_.refusal())));
    if (fleet_.registered() == 0) return ended(RunStatus::kUnreachable, carrier_.unreachable());
    const std::string what =
        fmt::format("clients and subscribers, {} of {} subscribed", fleet_.subscribed(), options_.subscribers);
    return ended(RunStatus::kUnreachable,
                 too_few(options_, fleet_.registered(), options_.endpoints(), what, "clients"));
  }

  Carrier& carrier_;
  EventFleet& fleet_;
  const Options& options_;
  const std::atomic<bool>& stop_;
};

}  // namespace

EventResult run_events(const Options& options, Progress& progress, const std::atomic<bool>& stop) noexcept {
  try {
    if (!options.port) {
      ask_for_exact_wakeups();
      UdpEvents carrier(options, progress);
      return EventSteps(carrier, options, stop).run();
    }
    EventResult result;
    on_port_core(options, [&](net::DpdkPort& port) {
      PortEvents carrier(options, port, progress);
      result = EventSteps(carrier, options, stop).run();
      result.rx_dropped = carrier.counts().rx_dropped;
      result.tx_dropped = carrier.counts().tx_dropped;
    });
    return result;
  } catch (const std::exception& error) {
    return ended(RunStatus::kFailed, error.what());
  }
}

}  // namespace mcplane::loadgen
