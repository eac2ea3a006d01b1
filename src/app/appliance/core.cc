// See core.h.
#include "app/appliance/core.h"

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "app/config/idle.h"
#include "base/relax.h"
#include "dataplane/core_loop.h"
#include "dataplane/quiet.h"
#include "net/dpdk/eal.h"
#include "net/faulty_nic.h"

namespace mcplane::app {
namespace {

// How a core makes its queues. pool(): one that only allocates and frees.
struct SoundQueues {
  using Queue = net::DpdkNic;

  std::unique_ptr<Queue> pool(net::DpdkPort& port) const { return std::make_unique<Queue>(port, 0); }
  std::unique_ptr<Queue> queue(net::DpdkPort& port, ShardId core) const {
    return std::make_unique<Queue>(port, raw(core));
  }
  void report(net::DpdkPort&, ShardId, const Queue&) const noexcept {}
};

struct FaultyQueues {
  using Queue = net::FaultyNic<net::DpdkNic>;

  std::unique_ptr<Queue> pool(net::DpdkPort& port) const {
    return std::make_unique<Queue>(net::Faults{}, 0U, port, std::uint16_t{0});
  }
  std::unique_ptr<Queue> queue(net::DpdkPort& port, ShardId core) const {
    return std::make_unique<Queue>(faults, raw(core) * kPortsMax + raw(port.id()), port, raw(core));
  }
  // So that a test can tell that its faults took place.
  void report(const net::DpdkPort& port, ShardId core, const Queue& queue) const noexcept {
    for (const auto& [way, counts] : {std::pair{"from", queue.received()}, std::pair{"to", queue.sent()}})
      std::fprintf(stderr,
                   "mcplane: core %u, %llu frames %s %s: %llu lost, %llu duplicated, %llu reordered, %llu corrupted\n",
                   raw(core), of(counts.frames), way, port.name().c_str(), of(counts.lost), of(counts.duplicated),
                   of(counts.reordered), of(counts.corrupted));
  }
  static unsigned long long of(std::uint64_t count) noexcept { return count; }

  net::Faults faults;
};

dataplane::ShardOptions options_of(const ApplianceConfig& config, const Ports& ports, ShardId id,
                                   std::uint64_t start_ns) {
  dataplane::ShardOptions options = shard_options(config, id, start_ns);
  for (const auto& port : ports) options.without_tails[raw(port->id())] = !port->sends_tails();
  return options;
}

template <class Queues>
class CoreOver final : public Core {
 public:
  using Queue = typename Queues::Queue;

  CoreOver(const ApplianceConfig& config, const CoreSurroundings& around, ShardId id, std::uint64_t start_ns,
           Queues queues)
      : make_(std::move(queues)),
        ports_(around.ports),
        shard_(around.shared, around.mesh, options_of(config, around.ports, id, start_ns)),
        idle_(config.idle),
        waits_(around.waits),
        pool_(make_.pool(*ports_.front())) {
    dataplane::Relay<Queue> relay{around.relay_mesh, {}, pool_.get()};
    std::vector<Queue*> nics;
    for (const auto& port : ports_) {
      queues_.push_back(raw(id) < port->queues() ? make_.queue(*port, id) : nullptr);
      nics.push_back(queues_.back().get());
      relay.senders.push_back(ShardId(static_cast<std::uint8_t>(raw(id) % port->queues())));
    }
    for (std::size_t port = 0; !waits_.empty() && port < ports_.size(); ++port)
      if (queues_[port] != nullptr) own_wait().watch(*ports_[port], raw(id));
    const dataplane::Burst burst{.full = config.rx_burst,
                                 .at_ease = std::min(config.rx_burst, ApplianceConfig::kRxBurstAtEase)};
    loop_.emplace(shard_, std::move(nics), burst, std::move(relay));
  }

  void run(const std::atomic<bool>& stop, bool yields) noexcept override {
    // Naps are shorter than the slack a thread has by default.
    if (!waits_.empty()) prctl(PR_SET_TIMERSLACK, 1UL);
    while (!stop.load(std::memory_order_relaxed)) {
      const bool busy = loop_->run_once(net::tsc_now_ns);
      rouse_others();
      rest(idle_.after(busy, shard_.now_ns));
      if (!busy && yields) sched_yield();
    }
  }

  void finish() noexcept override {
    loop_->finish();
    for (std::size_t port = 0; port < queues_.size(); ++port)
      if (queues_[port] != nullptr) make_.report(*ports_[port], shard_.options.id, *queues_[port]);
  }

 private:
  void rest(Idle::Step step) noexcept {
    switch (step) {
      case Idle::Step::kLook:
        return;
      case Idle::Step::kPauseAndLook:
        return cpu_relax();
      case Idle::Step::kArmAndLook:
        signalled_ = own_wait().arm();
        return;
      case Idle::Step::kDisarmAndLook:
        return own_wait().disarm();
      case Idle::Step::kWait:
        return wait();
    }
  }

  void wait() noexcept {
    const std::uint64_t before_ns = net::tsc_now_ns();
    const std::uint32_t quiet_ms = dataplane::quiet_ms(shard_, Idle::kSleepMsMax);
    bool came = false;
    if (quiet_ms > 0 && signalled_)
      came = own_wait().wait(static_cast<int>(quiet_ms));
    else if (quiet_ms > 0)
      nap(idle_.nap_ns());
    own_wait().disarm();
    const std::uint64_t now_ns = net::tsc_now_ns();
    shard_.counters.asleep_ns.add(now_ns - before_ns);
    idle_.woke(came, now_ns);
  }

  static void nap(std::uint64_t ns) noexcept {
    const timespec time{0, static_cast<long>(ns)};
    nanosleep(&time, nullptr);
  }

  // What this core put into another's ring, that one would find late.
  void rouse_others() noexcept {
    if (waits_.size() < 2) return;
    const std::uint64_t left = shard_.counters.handed_off.read() + shard_.counters.relayed.read();
    if (left == std::exchange(left_to_others_, left)) return;
    for (const auto& other : waits_)
      if (other.get() != &own_wait()) other->rouse();
  }

  net::RxWait& own_wait() noexcept { return *waits_[raw(shard_.options.id)]; }

  Queues make_;
  const Ports& ports_;
  dataplane::Shard shard_;
  Idle idle_;
  const std::vector<std::unique_ptr<net::RxWait>>& waits_;  // by shard
  bool signalled_ = false;                                  // frames end the wait that comes
  std::uint64_t left_to_others_ = 0;                        // frames, so far
  std::unique_ptr<Queue> pool_;
  std::vector<std::unique_ptr<Queue>> queues_;  // by PortId; of the ports that have one for this core
  std::optional<dataplane::CoreLoop<Queue>> loop_;
};

std::unique_ptr<Core> make_core(const ApplianceConfig& config, const CoreSurroundings& around, ShardId id,
                                std::uint64_t start_ns) {
  if (config.faults)
    return std::make_unique<CoreOver<FaultyQueues>>(config, around, id, start_ns, FaultyQueues{*config.faults});
  return std::make_unique<CoreOver<SoundQueues>>(config, around, id, start_ns, SoundQueues{});
}

}  // namespace

std::vector<std::unique_ptr<Core>> make_cores(net::Eal& eal, const ApplianceConfig& config,
                                              const CoreSurroundings& around, std::uint64_t start_ns) {
  std::vector<std::unique_ptr<Core>> cores(config.cores.size());
  std::vector<std::exception_ptr> failures(cores.size());
  for (std::size_t i = 0; i < cores.size(); ++i)
    eal.launch(i, [&, i] {
      try {
        cores[i] = make_core(config, around, ShardId(static_cast<std::uint8_t>(i)), start_ns);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    });
  eal.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return cores;
}

}  // namespace mcplane::app
