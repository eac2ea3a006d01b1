// See parts.h.
#include "app/appliance/parts.h"

#include <algorithm>
#include <bit>
#include <random>
#include <set>
#include <thread>

#include "app/appliance/heap.h"
#include "app/appliance/memory.h"
#include "app/command_line/cli.h"

namespace mcplane::app {
namespace {

// Bytes of an MCP datagram that fit one IP packet towards every peer there can be.
std::uint16_t datagram_bytes_max(const ApplianceConfig& config) {
  bool ipv6 = false;
  for (const PortConfig& port : config.ports)
    for (const wire::Prefix& prefix : port.ips) ipv6 = ipv6 || !prefix.ip.is_v4();
  return static_cast<std::uint16_t>(config.mtu - (ipv6 ? wire::kIpv6Bytes : wire::kIpv4Bytes) - wire::kUdpBytes);
}

std::vector<control::PortState> states_of(const Ports& ports) {
  std::vector<control::PortState> states;
  for (const auto& port : ports) {
    const net::PortStatistics counted = port->statistics();
    states.push_back({.name = port->name(),
                      .link_up = port->link_up(),
                      .queues = port->queues(),
                      .offloads = port->verifies_checksums() ? "rx-checksum" : "",
                      .rx_frames = counted.rx_frames,
                      .tx_frames = counted.tx_frames,
                      .rx_missed = counted.rx_missed,
                      .rx_errors = counted.rx_errors,
                      .tx_errors = counted.tx_errors,
                      .rx_no_buffer = counted.rx_no_buffer});
  }
  return states;
}

}  // namespace

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

bool cores_share_cpu(const ApplianceConfig& config) {
  const std::size_t cpus = std::set(config.cores.begin(), config.cores.end()).size();
  return std::thread::hardware_concurrency() < 2 || cpus < config.cores.size();
}

net::EalOptions eal_options(const ApplianceConfig& config) {
  net::EalOptions options;
  options.cores = config.cores;
  options.huge_pages = config.hugepages;
  options.memory_mib = config.memory_mib();
  for (const PortConfig& port : config.ports) options.devices.push_back(port.device);
  options.guests = config.guests;
  options.pass_through = config.eal_arguments;
  return options;
}

Ports make_ports(const ApplianceConfig& config, net::DpdkPool& pool) {
  Ports ports;
  for (const PortConfig& port : config.ports) {
    net::PortOptions options = net::port_options(port.device, static_cast<std::uint8_t>(ports.size()));
    options.rx_descriptors = config.rx_descriptors;
    options.tx_descriptors = config.tx_descriptors;
    options.sharing = config.share_events ? net::Sharing::kWherePossible : net::Sharing::kUnlessSlower;
    options.interrupts = config.idle == IdleMode::kSleep && net::may_interrupt(port.device.kind);
    ports.push_back(std::make_unique<net::DpdkPort>(options, pool));
  }
  return ports;
}

state::SharedOptions shared_options(const ApplianceConfig& config) {
  state::SharedOptions options;
  options.shards = static_cast<std::uint32_t>(config.cores.size());
  options.sessions = config.max_sessions;
  options.workers = config.max_workers;
  options.routes = std::bit_ceil(std::max(config.max_routes, dataplane::RouteCache::kWays));
  options.boot_id = static_cast<std::uint32_t>(random64()) | 1U;
  options.cookie_key = {random64(), random64()};
  options.traces = config.traces();
  return options;
}

dataplane::ShardOptions shard_options(const ApplianceConfig& config, ShardId id, std::uint64_t start_ns) {
  dataplane::ShardOptions options;
  options.id = id;
  options.base_port = config.base_port;
  options.max_tasks = config.max_tasks;
  options.max_queued = config.max_queued;
  options.max_routes = config.max_routes;
  options.client_slots = config.max_clients * config.client_slots;
  options.cache_bytes = config.cache_bytes;
  options.retry_after_ms = static_cast<std::uint32_t>(config.retry_after_ns / kNsPerMs);
  options.datagram_bytes_max = datagram_bytes_max(config);
  options.start_ns = start_ns;
  options.ports = addresses_of(config);
  return options;
}

control::ControlOptions control_options(const ApplianceConfig& config, const net::DpdkPool& pool, const Ports& ports,
                                        control::Prober& prober, Observers& observers) {
  control::ControlOptions options;
  options.base_port = config.base_port;
  options.mtu = config.mtu;
  options.heartbeat_interval_ms = static_cast<std::uint32_t>(config.heartbeat_interval_ns / kNsPerMs);
  options.client_heartbeat_interval_ms = static_cast<std::uint32_t>(config.client_heartbeat_interval_ns / kNsPerMs);
  options.max_ack_delay_us = static_cast<std::uint32_t>(config.max_ack_delay_ns / kNsPerUs);
  options.look_ahead_max = config.look_ahead_max;
  options.max_sessions = config.max_sessions;
  options.max_clients = config.max_clients;
  options.client_slots = config.client_slots;
  options.version = version();
  options.memory = memory_of(config);
  options.cores = config.cores;
  options.tsc_hz = net::tsc_hz();
  options.cores_share_cpu = cores_share_cpu(config);
  for (const PortConfig& port : config.ports) {
    options.port_names.push_back(net::to_string(port.device));
    options.gateways.push_back(port.gateways);
  }
  options.hooks.buffers = [&pool] { return control::BufferUse{pool.buffers_total(), pool.buffers_free()}; };
  options.hooks.link_up = [&ports](PortId port) {
    ports[raw(port)]->revive();
    return ports[raw(port)]->link_up();
  };
  options.hooks.ports = [&ports] { return states_of(ports); };
  options.hooks.heap = heap_use;
  options.prober = &prober;
  options.config = config.document;
  observers.watch(options);
  return options;
}

std::unique_ptr<dataplane::HandoffMesh> make_relay_mesh(const ApplianceConfig& config) {
  const auto has_all = [&](const PortConfig& port) { return port.device.queues == config.cores.size(); };
  if (std::ranges::all_of(config.ports, has_all)) return nullptr;
  return std::make_unique<dataplane::HandoffMesh>(config.cores.size(), kHandoffFrames);
}

}  // namespace mcplane::app
