// See appliance.h.
#include "app/appliance.h"

#include <sched.h>

#include <chrono>
#include <thread>

namespace mcplane::app {

Appliance::Appliance(const ApplianceConfig& config)
    : eal_(eal_options(config)),
      pool_({config.pool_buffers, config.mtu}),
      ports_(make_ports(config, pool_)),
      shared_(shared_options(config)),
      mesh_(config.cores.size(), kHandoffFrames),
      relay_mesh_(make_relay_mesh(config)),
      shares_cpu_(cores_share_cpu(config)),
      control_(shared_, control_options(config, pool_, ports_), addresses_of(config), Random(random64())) {
  const std::uint64_t start_ns = net::tsc_now_ns();
  cores_.resize(config.cores.size());
  for (std::size_t i = 0; i < cores_.size(); ++i) make_core(config, ShardId(static_cast<std::uint8_t>(i)), start_ns);
  // Admin comes first: it may fail, and then no core has started.
  admin_ = std::make_unique<control::Admin>(control_, config.admin_path);
  for (std::size_t i = 0; i < cores_.size(); ++i) eal_.launch(i, [this, i] { run_core(cores_[i]); });
  control_thread_ = std::make_unique<control::ControlThread>(control_);
}

Appliance::~Appliance() {
  admin_.reset();
  control_thread_.reset();
  stop_.store(true, std::memory_order_relaxed);
  eal_.join();
  for (Core& core : cores_) core.loop->finish();
}

void Appliance::make_core(const ApplianceConfig& config, ShardId id, std::uint64_t start_ns) {
  Core& core = cores_[raw(id)];
  core.shard = std::make_unique<dataplane::Shard>(shared_, mesh_, shard_options(config, id, start_ns));
  core.pool = std::make_unique<net::DpdkNic>(*ports_.front(), 0);
  dataplane::Relay<net::DpdkNic> relay{relay_mesh_.get(), {}, core.pool.get()};
  std::vector<net::DpdkNic*> queues;
  for (const auto& port : ports_) {
    const bool has_queue = raw(id) < port->queues();
    core.queues.push_back(has_queue ? std::make_unique<net::DpdkNic>(*port, raw(id)) : nullptr);
    queues.push_back(core.queues.back().get());
    relay.senders.push_back(ShardId(static_cast<std::uint8_t>(raw(id) % port->queues())));
  }
  core.loop = std::make_unique<dataplane::CoreLoop<net::DpdkNic>>(*core.shard, std::move(queues), config.rx_burst,
                                                                  std::move(relay));
}

void Appliance::run_core(Core& core) noexcept {
  while (!stop_.load(std::memory_order_relaxed)) {
    const bool busy = core.loop->run_once(net::tsc_now_ns);
    if (!busy && shares_cpu_) sched_yield();
  }
}

bool Appliance::idle() const noexcept {
  for (const auto& shard : shared_.shards)
    if (shard->counters.open_tasks() > 0) return false;
  return true;
}

void Appliance::drain(std::uint32_t patience_ms) {
  control_.post([this] { control_.drain(); });
  for (std::uint32_t waited_ms = 0; waited_ms < patience_ms; ++waited_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    // The first milliseconds are for the command to reach the cores.
    if (waited_ms > 5 && idle()) return;
  }
}

}  // namespace mcplane::app
