// See network.h. CLI11 hands over each --port, --ip and --mac as it meets it, so that order says what belongs
// together.
#include "app/config/network.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/command_line/port_flag.h"

namespace mcplane::app {
namespace {

std::string accept_cores(const std::string& typed, const std::vector<unsigned>& allowed, std::vector<unsigned>& cores) {
  auto parsed = parse_cpu_list(typed);
  if (!parsed) return parsed.error;
  for (const unsigned cpu : *parsed.value)
    if (std::string error = cpu_error(cpu, allowed); !error.empty()) return error;
  cores = std::move(*parsed.value);
  return "";
}

bool is_named(const PortConfig& port) noexcept { return !port.device.name.empty(); }

// The port that --ip and --mac are about.
PortConfig& port_at_hand(ApplianceConfig& config) {
  if (config.ports.empty()) config.ports.emplace_back();
  return config.ports.back();
}

std::string accept_port(ApplianceConfig& config, const std::string& typed) {
  auto parsed = parse_port(typed);
  if (!parsed) return parsed.error;
  for (const PortConfig& other : config.ports)
    if (other.device.kind == parsed.value->kind && other.device.name == parsed.value->name)
      return quote(typed) + " is given twice; keep one";
  if (config.ports.size() == kPortsMax) return fmt::format("is given more than {} times", kPortsMax);
  if (config.ports.empty() || is_named(config.ports.back())) config.ports.emplace_back();
  config.ports.back().device = std::move(*parsed.value);
  return "";
}

std::string accept_ip(ApplianceConfig& config, const std::string& typed) {
  const auto parsed = parse_host_prefix(typed);
  if (!parsed) return parsed.error;
  for (const PortConfig& port : config.ports)
    for (const wire::Prefix& other : port.ips)
      if (other.ip == parsed.value->ip) return quote(typed) + " is given twice; keep one";
  std::vector<wire::Prefix>& ips = port_at_hand(config).ips;
  if (ips.size() == kIpsMax) return fmt::format("is given more than {} times for one port", kIpsMax);
  ips.push_back(*parsed.value);
  return "";
}

std::string accept_mac(ApplianceConfig& config, const std::string& typed) {
  const auto parsed = parse_mac(typed);
  if (!parsed) return parsed.error;
  if (port_at_hand(config).mac != wire::MacAddress{}) return "is given twice for one port; keep one";
  port_at_hand(config).mac = *parsed.value;
  return "";
}

std::string settle_gateway(ApplianceConfig& config, const wire::IpAddress& gateway) {
  for (PortConfig& port : config.ports) {
    const auto holds = [&](const wire::Prefix& prefix) { return prefix.contains(gateway); };
    if (std::ranges::none_of(port.ips, holds)) continue;
    for (const wire::IpAddress& other : port.gateways)
      if (other.is_v4() == gateway.is_v4())
        return fmt::format("--gateway {} and {} are both on {}; keep one", wire::to_string(other),
                           wire::to_string(gateway), net::to_string(port.device));
    port.gateways.push_back(gateway);
    return "";
  }
  return fmt::format("--gateway {} is on no --ip's network; type one that is", wire::to_string(gateway));
}

// Each core has a queue pair of each port, unless the user says that fewer shall do.
std::string settle_queues(const ApplianceConfig& config, net::DeviceSpec& device) {
  const std::size_t cores = config.cores.size();
  const std::uint16_t most = net::queues_max(device);
  const std::string name = net::to_string(device);
  if (device.queues > most)
    return fmt::format("--port {},queues={}: it has {} at most; type queues={}", name, device.queues, most, most);
  if (device.queues > cores)
    return fmt::format("--port {},queues={}: there are only {} cores to poll them; type queues={}", name, device.queues,
                       cores, cores);
  if (device.queues == 0 && most < cores)
    return fmt::format(
        "--port {} has {} queue pairs for {} cores; type --cores with {} of them, or --port {},queues={} to let the "
        "other cores use it through these",
        name, most, cores, most, name, most);
  if (device.queues == 0) device.queues = static_cast<std::uint16_t>(cores);
  return "";
}

}  // namespace

void add_network_flags(CLI::App& app, ApplianceConfig& config) {
  const std::vector<unsigned> allowed = allowed_cpus();
  config.cores = {allowed.back()};
  add_values(
      app, "--port", "KIND:NAME",
      "Port to serve, required; once for each. tap:NAME, vhost:PATH, virtio:PATH, memif:PATH, af_xdp:IFACE, "
      "af_packet:IFACE or pci:ADDRESS; \",queues=N\" for fewer queue pairs than cores",
      [&config](const std::string& typed) { return accept_port(config, typed); }, false)
      ->trigger_on_parse();
  add_values(app, "--ip", "ADDRESS/PREFIX",
             "Address of the --port before it, required; once for each of up to 8 a port",
             [&config](const std::string& typed) { return accept_ip(config, typed); })
      ->trigger_on_parse();
  add_values(
      app, "--mac", "MAC", "Ethernet address of the --port before it [made from its first --ip]",
      [&config](const std::string& typed) { return accept_mac(config, typed); }, false)
      ->trigger_on_parse();
  add_values(app, "--gateway", "ADDRESS", "Router to peers on no --ip's network; one a port and family",
             [&config](const std::string& typed) {
               const auto parsed = parse_address(typed);
               if (parsed) config.gateways.push_back(*parsed.value);
               return parsed.error;
             });
  add_value(app, "--cores", "CPUS", "the last one", "CPUs of the dataplane cores, such as 2-5, which they poll wholly",
            [&config, allowed](const std::string& typed) { return accept_cores(typed, allowed, config.cores); });
  add_count(app, "--shards", config.shards, "Dataplane cores; more than --cores has CPUs share them, 0: one a CPU",
            {0, kShardsMax});
  add_count(app, "--base-port", config.base_port, "UDP port of the first core; the others follow", {1, 65'535});
  add_count(app, "--mtu", config.mtu, "Largest IP packet in bytes", {576, 9'000});
}

std::string missing_network(const ApplianceConfig& config) {
  if (config.ports.empty() || !is_named(config.ports.front()))
    return "--port is missing; type --port KIND:NAME, such as --port tap:mc0";
  for (const PortConfig& port : config.ports)
    if (port.ips.empty())
      return fmt::format("--ip is missing for --port {}; type --ip ADDRESS/PREFIX behind it, such as --ip 10.0.0.1/24",
                         net::to_string(port.device));
  return "";
}

std::string settle_network(ApplianceConfig& config) {
  if (config.shards != 0 && config.shards < config.cores.size())
    return fmt::format("--shards {} leaves CPUs of --cores idle, which names {}; type --shards {} or fewer --cores",
                       config.shards, config.cores.size(), config.cores.size());
  const std::size_t cpus = config.cores.size();
  for (std::size_t i = cpus; i < config.shards; ++i) config.cores.push_back(config.cores[i % cpus]);
  if (config.cores.size() > kShardsMax)
    return fmt::format("--cores names {} CPUs; {} are the most", config.cores.size(), kShardsMax);
  if (config.base_port + config.cores.size() - 1 > 65'535)
    return fmt::format("--base-port {} leaves no UDP ports for {} cores; type --base-port {} or lower",
                       config.base_port, config.cores.size(), 65'536 - config.cores.size());
  for (const wire::IpAddress& gateway : config.gateways)
    if (std::string line = settle_gateway(config, gateway); !line.empty()) return line;
  for (PortConfig& port : config.ports) {
    if (std::string line = settle_queues(config, port.device); !line.empty()) return line;
    if (port.mac == wire::MacAddress{}) port.mac = wire::mac_for(port.ips.front().ip);
    port.device.mtu = config.mtu;
  }
  return "";
}

}  // namespace mcplane::app
