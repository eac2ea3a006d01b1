// A run over one DPDK port: clients and workers together on one core, which polls.
#include <optional>

#include "loadgen/carriers.h"
#include "loadgen/fleets.h"
#include "loadgen/port_end.h"
#include "loadgen/port_shell.h"
#include "loadgen/run_steps.h"

namespace mcplane::loadgen {
namespace {

class PortCarrier {
 public:
  PortCarrier(const Options& options, net::DpdkPort& port, Progress& progress)
      : options_(options),
        end_(options, port, options.endpoints()),
        clients_(options, fresh_seed(), end_.shell().transmit_from(0), progress),
        workers_(options, fresh_seed(), end_.shell().transmit_from(options.clients + options.surge_clients())) {
    if (options.surge_clients() > 0)
      surge_.emplace(surge_options(options), fresh_seed(), end_.shell().transmit_from(options.clients),
                     surge_progress_);
  }

  ClientFleet& clients() noexcept { return clients_; }
  ClientFleet* surge() noexcept { return surge_ ? &*surge_ : nullptr; }
  std::size_t workers_registered() const noexcept { return workers_.registered(); }
  const WorkerTasks& worker_tasks() const noexcept { return workers_.tasks(); }
  std::uint64_t now_ns() const noexcept { return end_.now_ns(); }
  template <class Finished>
  void drive(Finished finished) {
    Fleets fleets(clients_, workers_, options_.clients, surge(), options_.surge_clients());
    end_.drive(finished, fleets);
  }
  void begin_metering() noexcept { end_.begin_metering(); }
  CpuUse cpu() const noexcept { return {end_.busy(), 0}; }
  std::string unreachable() const { return end_.unreachable(); }

  // Workers leave too; what the run ends with goes out.
  void leave() {
    workers_.close(now_ns());
    const std::uint64_t left_ns = now_ns() + kGoodbyeNs;
    drive([&] { return now_ns() >= left_ns; });
  }
  const PortCounts& counts() const noexcept { return end_.counts(); }

 private:
  const Options& options_;
  PortEnd<PortShell<net::DpdkNic, PortClock>> end_;
  Progress surge_progress_;  // is not shown
  ClientFleet clients_;
  std::optional<ClientFleet> surge_;
  WorkerFleet workers_;
};

RunResult run_on_core(const Options& options, net::DpdkPort& port, Progress& progress, const std::atomic<bool>& stop) {
  PortCarrier carrier(options, port, progress);
  RunResult result = RunSteps(carrier, options, stop).run();
  carrier.leave();
  result.rx_dropped = carrier.counts().rx_dropped;
  result.tx_dropped = carrier.counts().tx_dropped;
  return result;
}

}  // namespace

RunResult run_over_port(const Options& options, Progress& progress, const std::atomic<bool>& stop) {
  if (options.reflect) return run_reflecting(options, progress, stop);
  RunResult result;
  on_port_core(options, [&](net::DpdkPort& port) { result = run_on_core(options, port, progress, stop); });
  return result;
}

}  // namespace mcplane::loadgen
