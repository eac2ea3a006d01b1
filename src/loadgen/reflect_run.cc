// The steps of a run that turns frames round. See reflect_fleet.h.
#include "loadgen/carriers.h"
#include "loadgen/port_end.h"
#include "loadgen/reflector.h"
#include "loadgen/run_steps.h"

namespace mcplane::loadgen {
namespace {

using End = PortEnd<Reflector<net::DpdkNic, PortClock>>;

class ReflectSteps {
 public:
  ReflectSteps(End& end, const Options& options, const std::atomic<bool>& stop)
      : end_(end), fleet_(end.shell().fleet()), options_(options), stop_(stop) {}

  RunResult run() {
    RunResult result = connect();
    if (result.status != RunStatus::kFinished) return result;
    end_.begin_metering();
    fleet_.begin(end_.now_ns());
    end_.drive([&] { return !fleet_.sending() || interrupted(); });
    result.interrupted = fleet_.sending();
    fleet_.stop(end_.now_ns());
    result.cpu = {end_.busy(), 0};
    end_.drive([&] { return fleet_.done(); });
    result.reflected_parts = fleet_.parts();
    result.tally = fleet_.close(end_.now_ns());
    pause(kGoodbyeNs);
    return result;
  }

 private:
  RunResult connect() {
    const std::uint64_t began_ns = end_.now_ns();
    const auto there = [&] { return fleet_.registered(); };
    await(end_, there, [&] { return there() == options_.endpoints() || interrupted(); });
    if (there() < options_.endpoints()) return incomplete();
    RunResult result;
    result.registration_ns = end_.now_ns() - began_ns;
    pause(kSettleNs);
    return result;
  }

  RunResult incomplete() const {
    if (interrupted()) return failed_run("interrupted before the first task");
    RunResult result;
    result.status = RunStatus::kUnreachable;
    result.problem = fleet_.registered() == 0 ? end_.unreachable()
                                              : too_few(options_, fleet_.registered(), options_.endpoints(),
                                                        "clients and workers", "sessions");
    return result;
  }

  void pause(std::uint64_t for_ns) {
    const std::uint64_t until_ns = end_.now_ns() + for_ns;
    end_.drive([&] { return end_.now_ns() >= until_ns; });
  }
  bool interrupted() const noexcept { return stop_.load(std::memory_order_relaxed); }

  End& end_;
  ReflectFleet& fleet_;
  const Options& options_;
  const std::atomic<bool>& stop_;
};

}  // namespace

RunResult run_reflecting(const Options& options, Progress& progress, const std::atomic<bool>& stop) {
  RunResult result;
  on_port_core(options, [&](net::DpdkPort& port) {
    End end(options, port, options, fresh_seed(), progress);
    result = ReflectSteps(end, options, stop).run();
    result.rx_dropped = end.counts().rx_dropped;
    result.tx_dropped = end.counts().tx_dropped;
  });
  return result;
}

}  // namespace mcplane::loadgen
