// A run over one DPDK port: clients and workers together on one core, which polls.
#include <sched.h>

#include <optional>
#include <thread>

#include "loadgen/carriers.h"
#include "loadgen/fleets.h"
#include "loadgen/port_core.h"
#include "loadgen/port_shell.h"
#include "loadgen/run_steps.h"
#include "net/dpdk/eal.h"

namespace mcplane::loadgen {
namespace {

// How long BYEs may take to leave at the end.
constexpr std::uint64_t kGoodbyeNs = 10 * kNsPerMs;

class PortCarrier {
 public:
  PortCarrier(const Options& options, net::DpdkPort& port, Progress& progress)
      : options_(options),
        nic_(port, 0),
        link_(link_options(options)),
        shell_(nic_, link_, options.endpoints(), net::tsc_now_ns),
        clients_(options, fresh_seed(), shell_.transmit_from(0), progress),
        workers_(options, fresh_seed(), shell_.transmit_from(options.clients + options.surge_clients())) {
    if (options.surge_clients() > 0)
      surge_.emplace(surge_options(options), fresh_seed(), shell_.transmit_from(options.clients), surge_progress_);
  }

  ClientFleet& clients() noexcept { return clients_; }
  ClientFleet* surge() noexcept { return surge_ ? &*surge_ : nullptr; }
  std::size_t workers_registered() const noexcept { return workers_.registered(); }
  const WorkerTasks& worker_tasks() const noexcept { return workers_.tasks(); }
  std::uint64_t now_ns() const noexcept { return shell_.now_ns(); }
  template <class Finished>
  void drive(Finished finished) {
    Fleets fleets(clients_, workers_, options_.clients, surge(), options_.surge_clients());
    while (!finished())
      if (!shell_.poll(fleets) && shares_cpu_) sched_yield();
  }
  void begin_metering() noexcept {
    metered_from_ = shell_.counts();
    metered_from_ns_ = now_ns();
  }
  CpuUse cpu() const noexcept {
    const std::uint64_t passed_ns = now_ns() - metered_from_ns_;
    const std::uint64_t busy_ns = shell_.counts().busy_ns - metered_from_.busy_ns;
    return {passed_ns == 0 ? 0 : static_cast<double>(busy_ns) / static_cast<double>(passed_ns), 0};
  }
  std::string unreachable() const { return port_unreachable(options_, link_); }

  // Workers leave too; what the run ends with goes out.
  void leave() {
    workers_.close(now_ns());
    const std::uint64_t left_ns = now_ns() + kGoodbyeNs;
    drive([&] { return now_ns() >= left_ns; });
  }
  const PortCounts& counts() const noexcept { return shell_.counts(); }

 private:
  const Options& options_;
  net::DpdkNic nic_;
  Link link_;
  PortShell<net::DpdkNic, std::uint64_t (*)() noexcept> shell_;
  Progress surge_progress_;  // is not shown
  ClientFleet clients_;
  std::optional<ClientFleet> surge_;
  WorkerFleet workers_;
  PortCounts metered_from_;
  std::uint64_t metered_from_ns_ = 0;
  const bool shares_cpu_ = std::thread::hardware_concurrency() < 2;
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
  RunResult result;
  on_port_core(options, [&](net::DpdkPort& port) { result = run_on_core(options, port, progress, stop); });
  return result;
}

}  // namespace mcplane::loadgen
