// See appliance.h.
#include "app/appliance.h"

#include <sched.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "app/cli.h"
#include "control/log.h"

namespace mcplane::app {
namespace {

constexpr std::size_t kHandoffFrames = 1'024;

std::uint64_t random64() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::vector<wire::LocalAddresses> addresses_of(const ApplianceConfig& config) {
  std::vector<wire::LocalAddresses> ports;
  for (const PortConfig& port : config.ports) {
    wire::LocalAddresses& addresses = ports.emplace_back();
    for (const wire::Prefix& prefix : port.ips) addresses.ips[addresses.count++] = prefix;
    addresses.mac = port.mac;
  }
  return ports;
}

// Bytes of an MCP datagram that fit one IP packet towards every peer there can be.
std::uint16_t datagram_bytes_max(const ApplianceConfig& config) {
  bool ipv6 = false;
  for (const PortConfig& port : config.ports)
    for (const wire::Prefix& prefix : port.ips) ipv6 = ipv6 || !prefix.ip.is_v4();
  return static_cast<std::uint16_t>(config.mtu - (ipv6 ? wire::kIpv6Bytes : wire::kIpv4Bytes) - wire::kUdpBytes);
}

// Throws what stands in the way of a device.
net::EalOptions eal_options(const ApplianceConfig& config) {
  net::EalOptions options;
  options.cores = config.cores;
  options.huge_pages = config.hugepages;
  options.memory_mib = config.memory_mib();
  for (const PortConfig& port : config.ports) {
    if (const std::string line = net::check_device(port.device); !line.empty()) throw std::runtime_error(line);
    options.devices.push_back(port.device);
  }
  options.pass_through = config.eal_arguments;
  return options;
}

std::vector<std::unique_ptr<net::DpdkPort>> make_ports(const ApplianceConfig& config, net::DpdkPool& pool) {
  std::vector<std::unique_ptr<net::DpdkPort>> ports;
  for (const PortConfig& port : config.ports) {
    const auto index = static_cast<std::uint8_t>(ports.size());
    net::PortOptions options;
    options.device = net::dpdk_name(port.device, index);
    options.id = PortId(index);
    options.queues = port.device.queues;
    options.rx_descriptors = config.rx_descriptors;
    options.tx_descriptors = config.tx_descriptors;
    options.mtu = config.mtu;
    options.verify_checksums = net::may_verify_checksums(port.device.kind);
    ports.push_back(std::make_unique<net::DpdkPort>(options, pool));
  }
  return ports;
}

state::SharedOptions shared_options(const ApplianceConfig& config) {
  state::SharedOptions options;
  options.shards = static_cast<std::uint32_t>(config.cores.size());
  options.sessions = config.max_sessions;
  options.workers = config.max_workers;
  options.boot_id = static_cast<std::uint32_t>(random64()) | 1U;
  options.cookie_key = {random64(), random64()};
  return options;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kDebug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

std::unique_ptr<dataplane::HandoffMesh> make_relay_mesh(const ApplianceConfig& config) {
  const auto has_all = [&](const PortConfig& port) { return port.device.queues == config.cores.size(); };
  if (std::ranges::all_of(config.ports, has_all)) return nullptr;
  return std::make_unique<dataplane::HandoffMesh>(config.cores.size(), kHandoffFrames);
}

control::ControlOptions control_options(const ApplianceConfig& config, const net::DpdkPool& pool,
                                        const std::vector<std::unique_ptr<net::DpdkPort>>& ports) {
  control::ControlOptions options;
  options.base_port = config.base_port;
  options.mtu = config.mtu;
  options.heartbeat_interval_ms = static_cast<std::uint32_t>(config.heartbeat_interval_ns / kNsPerMs);
  options.client_heartbeat_interval_ms = static_cast<std::uint32_t>(config.client_heartbeat_interval_ns / kNsPerMs);
  options.max_ack_delay_us = static_cast<std::uint32_t>(config.max_ack_delay_ns / kNsPerUs);
  options.max_sessions = config.max_sessions;
  options.max_clients = config.max_clients;
  options.client_slots = config.client_slots;
  options.version = version();
  options.cores = config.cores;
  options.hooks.buffers = [&pool] { return control::BufferUse{pool.buffers_total(), pool.buffers_free()}; };
  options.hooks.link_up = [&ports] { return ports.front()->link_up(); };
  options.logger = control::make_stderr_logger();
  options.logger->set_level(spdlog_level(config.log_level));
  return options;
}

}  // namespace

Appliance::Appliance(const ApplianceConfig& config)
    : addresses_(addresses_of(config)),
      eal_(eal_options(config)),
      pool_({config.pool_buffers, config.mtu}),
      ports_(make_ports(config, pool_)),
      shared_(shared_options(config)),
      mesh_(config.cores.size(), kHandoffFrames),
      relay_mesh_(make_relay_mesh(config)),
      shares_cpu_(std::thread::hardware_concurrency() < 2 ||
                  std::set(config.cores.begin(), config.cores.end()).size() < config.cores.size()),
      control_(shared_, control_options(config, pool_, ports_), addresses_, Random(random64())) {
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
  dataplane::ShardOptions options;
  options.id = id;
  options.base_port = config.base_port;
  options.max_tasks = config.max_tasks;
  options.max_queued = config.max_queued;
  options.max_routes = config.max_routes;
  options.client_slots = config.max_clients * config.client_slots;
  options.retry_after_ms = static_cast<std::uint32_t>(config.retry_after_ns / kNsPerMs);
  options.datagram_bytes_max = datagram_bytes_max(config);
  options.start_ns = start_ns;
  options.ports = addresses_;

  Core& core = cores_[raw(id)];
  core.shard = std::make_unique<dataplane::Shard>(shared_, mesh_, options);
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
    if (shard->counters.queued.read() + shard->counters.routed.read() > 0) return false;
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
