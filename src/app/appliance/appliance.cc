// See appliance.h.
#include "app/appliance/appliance.h"

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <utility>

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
  // These come first: they may fail, and then no core has started.
  admin_ = std::make_unique<control::Admin>(control_, config.admin_path, std::chrono::seconds(1), config_hooks(config));
  if (config.http) listen();
  for (std::size_t i = 0; i < cores_.size(); ++i) eal_.launch(i, [this, i] { cores_[i]->run(stop_, shares_cpu_); });
  control_thread_ = std::make_unique<control::ControlThread>(control_);
}

Appliance::~Appliance() {
  http_.reset();
  admin_.reset();
  control_thread_.reset();
  stop_.store(true, std::memory_order_relaxed);
  eal_.join();
  for (const auto& core : cores_) core->finish();
}

// Nobody asked for the standard address, which another appliance of this machine may have.
void Appliance::listen() {
  try {
    http_ = std::make_unique<control::HttpListener>(control_, *config_.http);
  } catch (const std::runtime_error& error) {
    if (config_.http_typed) throw;
    std::fprintf(stderr, "mcplane: no page: %s; --http ADDRESS:PORT serves it elsewhere\n", error.what());
  }
}

bool Appliance::idle() const noexcept {
  for (const auto& shard : shared_.shards)
    if (shard->counters.open_tasks() + shard->counters.shadow.open_tasks() > 0) return false;
  return true;
}

bool Appliance::ask(std::function<void(control::Control&)> request) {
  return control_.post([this, request = std::move(request)] { request(control_); });
}

}  // namespace mcplane::app
