// See appliance.h.
#include "app/appliance.h"

#include <chrono>
#include <thread>

namespace mcplane::app {

Appliance::Appliance(const ApplianceConfig& config)
    : config_(config),
      eal_(eal_options(config)),
      pool_({config.pool_buffers, config.mtu}),
      ports_(make_ports(config, pool_)),
      shared_(shared_options(config)),
      mesh_(config.cores.size(), kHandoffFrames),
      relay_mesh_(make_relay_mesh(config)),
      shares_cpu_(cores_share_cpu(config)),
      observers_(config),
      control_(shared_, control_options(config, pool_, ports_, prober_, observers_), addresses_of(config),
               Random(random64())) {
  const std::uint64_t start_ns = net::tsc_now_ns();
  if (config.idle == IdleMode::kSleep)
    for (std::size_t i = 0; i < config.cores.size(); ++i) waits_.push_back(std::make_unique<net::RxWait>());
  const CoreSurroundings around{shared_, mesh_, relay_mesh_.get(), ports_, waits_};
  cores_ = make_cores(eal_, config, around, start_ns);
  // Admin comes first: it may fail, and then no core has started.
  admin_ = std::make_unique<control::Admin>(control_, config.admin_path, std::chrono::seconds(1), config_hooks(config));
  for (std::size_t i = 0; i < cores_.size(); ++i) eal_.launch(i, [this, i] { cores_[i]->run(stop_, shares_cpu_); });
  control_thread_ = std::make_unique<control::ControlThread>(control_);
}

Appliance::~Appliance() {
  admin_.reset();
  control_thread_.reset();
  stop_.store(true, std::memory_order_relaxed);
  eal_.join();
  for (const auto& core : cores_) core->finish();
}

bool Appliance::idle() const noexcept {
  for (const auto& shard : shared_.shards)
    if (shard->counters.open_tasks() + shard->counters.shadow.open_tasks() > 0) return false;
  return true;
}

void Appliance::drain(std::uint32_t patience_ms) {
  observers_.note_signal("drain");
  control_.post([this] { control_.drain(); });
  for (std::uint32_t waited_ms = 0; waited_ms < patience_ms; ++waited_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    // The first milliseconds are for the command to reach the cores.
    if (waited_ms > 5 && idle()) return;
  }
}

}  // namespace mcplane::app
