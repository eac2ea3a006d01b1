// See port.h.
#include "app/load/port.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "app/command_line/port_flag.h"
#include "client/broker_address.h"

namespace mcplane::app {
namespace {

std::string accept_broker(const std::string& typed, std::optional<wire::Endpoint>& broker) {
  try {
    broker = client::parse_broker_address(typed);
    return {};
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

std::string accept_device(const std::string& typed, std::optional<net::DeviceSpec>& device) {
  auto parsed = parse_port(typed);
  if (!parsed) return parsed.error;
  if (parsed.value->queues > 1) return quote(typed) + ": the load is made on one queue pair; leave out \",queues=\"";
  device = std::move(*parsed.value);
  device->queues = 1;
  return "";
}

std::string accept_core(const std::string& typed, const std::vector<unsigned>& allowed, std::optional<unsigned>& core) {
  const auto parsed = parse_count(typed);
  if (!parsed) return parsed.error;
  if (std::string error = cpu_error(*parsed.value, allowed); !error.empty()) return error;
  core = static_cast<unsigned>(*parsed.value);
  return "";
}

}  // namespace

void add_transport_flags(CLI::App& app, TransportFlags& flags) {
  const std::vector<unsigned> allowed = allowed_cpus();
  app.option_defaults()->group("Broker, over kernel UDP sockets");
  add_value(app, "--udp", "HOST[:PORT]", "", "Broker; this or --port",
            [&flags](const std::string& typed) { return accept_broker(typed, flags.udp); });
  app.option_defaults()->group("Broker, over a DPDK port of this process");
  add_value(app, "--port", "KIND:NAME", "",
            "Port; this or --udp. tap:NAME, vhost:PATH, virtio:PATH, memif:PATH, af_xdp:IFACE, af_packet:IFACE or "
            "pci:ADDRESS; behind -- follow arguments for DPDK",
            [&flags](const std::string& typed) { return accept_device(typed, flags.device); });
  flags.of_port = {
      add_value(app, "--ip", "ADDRESS/PREFIX", "", "Our address, required with --port",
                [&flags](const std::string& typed) {
                  const auto parsed = parse_host_prefix(typed);
                  if (parsed) flags.ip = *parsed.value;
                  return parsed.error;
                }),
      add_value(app, "--broker", "ADDRESS[:PORT]", "", "Broker, required with --port",
                [&flags](const std::string& typed) { return accept_broker(typed, flags.broker); }),
      add_value(app, "--gateway", "ADDRESS", "", "Router to a broker that is not on --ip's network",
                [&flags](const std::string& typed) {
                  const auto parsed = parse_address(typed);
                  flags.gateway = parsed.value;
                  return parsed.error;
                }),
      add_value(app, "--core", "CPU", fmt::format("{}, the last one", allowed.back()),
                "CPU of clients and workers, which they poll wholly",
                [&flags, allowed](const std::string& typed) { return accept_core(typed, allowed, flags.core); }),
      add_count(app, "--mtu", flags.mtu, "Largest IP packet in bytes", {576, 9'000}),
      add_switch(app, "--hugepages", flags.huge_pages, "Use hugepages for packet buffers [off]"),
      add_size(app, "--memory", flags.memory_bytes, "Memory for packet buffers", {64ULL << 20, 1ULL << 40})};
}

std::string settle_transport(const TransportFlags& flags, std::vector<std::string> eal_arguments,
                             loadgen::Options& options) {
  if (flags.udp && flags.device) return "--udp and --port are two ways to the broker; keep one";
  if (!flags.udp && !flags.device)
    return "the way to the broker is missing; type --udp HOST, such as --udp 10.0.0.1, or --port KIND:NAME";
  if (flags.udp) {
    const auto given = std::ranges::find_if(flags.of_port, [](const CLI::Option* flag) { return flag->count() > 0; });
    if (given != flags.of_port.end()) return (*given)->get_name() + " is for --port; leave it out with --udp";
    if (!eal_arguments.empty()) return "what stands behind -- is for --port; leave it out with --udp";
    options.broker = *flags.udp;
    return "";
  }
  if (!flags.ip) return "--ip is missing; type --ip ADDRESS/PREFIX, such as --ip 10.0.0.2/24";
  if (!flags.broker) return "--broker is missing; type --broker ADDRESS, such as --broker 10.0.0.1";
  options.broker = *flags.broker;
  options.mtu = flags.mtu;
  loadgen::PortTransport& port = options.port.emplace();
  port.device = *flags.device;
  port.device.mtu = flags.mtu;
  port.device.role = net::DeviceRole::kPeer;
  port.address = *flags.ip;
  port.gateway = flags.gateway;
  port.cpu = flags.core.value_or(allowed_cpus().back());
  port.huge_pages = flags.huge_pages;
  port.memory_mib = static_cast<std::uint32_t>(flags.memory_bytes >> 20);
  port.eal_arguments = std::move(eal_arguments);
  return "";
}

}  // namespace mcplane::app
