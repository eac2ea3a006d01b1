// See port_core.h.
#include "loadgen/port_core.h"

#include <fmt/format.h>

#include <exception>

#include "net/dpdk/eal.h"

namespace mcplane::loadgen {
namespace {

constexpr std::uint32_t kPoolBuffers = 16'383;
// Those go round in turn, and both cores' caches with them: no more than what two rings and the frames on their way
// take.
constexpr std::uint32_t kReflectPoolBuffers = 3'327;

net::EalOptions eal_options(const PortTransport& port) {
  net::EalOptions options;
  options.cores = {port.cpu};
  options.huge_pages = port.huge_pages;
  options.memory_mib = port.memory_mib;
  options.devices = {port.device};
  options.pass_through = port.eal_arguments;
  return options;
}

}  // namespace

void on_port_core(const Options& options, const std::function<void(net::DpdkPort&)>& body) {
  net::Eal eal(eal_options(*options.port));
  net::DpdkPool pool({options.reflect ? kReflectPoolBuffers : kPoolBuffers, options.mtu});
  net::DpdkPort port(net::port_options(options.port->device, 0), pool);
  std::exception_ptr thrown;
  eal.launch(0, [&] {
    try {
      body(port);
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  eal.join();
  if (thrown) std::rethrow_exception(thrown);
}

LinkOptions link_options(const Options& options) {
  const PortTransport& port = *options.port;
  return {.addresses = port_addresses(options),
          .mac = wire::mac_for(port.address.ip),
          .broker = options.broker.ip,
          .next_hop = port.gateway.value_or(options.broker.ip),
          .mtu = options.mtu};
}

std::string port_unreachable(const Options& options, const Link& link) {
  const std::string name = net::to_string(options.port->device);
  if (!link.resolved())
    return fmt::format("nobody behind {} says that it is {} in 5 s: is the broker on that network?", name,
                       wire::to_string(options.port->gateway.value_or(options.broker.ip)));
  return fmt::format("no answer from {} in 5 s, although {} is up: is mcplane there, on that UDP port?",
                     wire::to_string(options.broker), name);
}

}  // namespace mcplane::loadgen
