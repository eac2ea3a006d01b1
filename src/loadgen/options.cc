// See options.h.
#include "loadgen/options.h"

#include <fmt/format.h>

#include "loadgen/pattern.h"
#include "wire/datagram.h"
#include "wire/header.h"
#include "wire/route_table.h"

namespace mcplane::loadgen {
namespace {

std::uint64_t send_bytes(const Options& options, std::size_t prompt_bytes) {
  return wire::kLeadBytes + wire::write_route_table(options.action, "", {}, "").size() +
         PayloadWriter({0, prompt_bytes}).payload_bytes();
}

// Endpoints and addresses.
std::string conflict_in_transport(const Options& options) {
  if (!options.port) {
    if (std::max(options.clients, options.workers) <= kSocketsMax) return {};
    return fmt::format("over sockets there are at most {} clients and {} workers: type fewer, or --port KIND:NAME",
                       kSocketsMax, kSocketsMax);
  }
  const wire::Prefix& own = options.port->address;
  const std::string broker = wire::to_string(options.broker.ip);
  if (std::uint64_t{options.clients} + options.workers > kEndpointsMax)
    return fmt::format("--clients {} and --workers {} are more than the {} UDP ports of one address: type fewer",
                       options.clients, options.workers, kEndpointsMax);
  if (options.broker.ip == own.ip)
    return fmt::format("--broker {} is our own --ip: type the appliance's address", broker);
  if (options.broker.ip.is_v4() != own.ip.is_v4())
    return fmt::format("--broker {} and --ip {} are of two families: type two of one", broker, wire::to_string(own.ip));
  const auto& gateway = options.port->gateway;
  if (gateway && (gateway->is_v4() != own.ip.is_v4() || !own.contains(*gateway) || *gateway == own.ip))
    return fmt::format("--gateway {} is no neighbour on --ip {}/{}'s network: type one that is",
                       wire::to_string(*gateway), wire::to_string(own.ip), own.length);
  if (!gateway && !own.contains(options.broker.ip))
    return fmt::format("--broker {} is not on --ip {}/{}'s network: add --gateway ADDRESS", broker,
                       wire::to_string(own.ip), own.length);
  return {};
}

}  // namespace

std::uint64_t send_bytes(const Options& options) { return send_bytes(options, options.prompt_bytes); }

std::uint64_t prompt_bytes_max(const Options& options, std::uint16_t packet_bytes) {
  const std::size_t ip_bytes = options.broker.ip.is_v4() ? wire::kIpv4Bytes : wire::kIpv6Bytes;
  // A payload grows with its prompt in steps of 4 bytes; measured at a multiple of 4 it is prompt + wrapping.
  const std::size_t fixed_bytes = ip_bytes + wire::kUdpBytes + send_bytes(options, kPromptBytesMin) - kPromptBytesMin;
  return packet_bytes > fixed_bytes ? (packet_bytes - fixed_bytes) & ~std::uint64_t{3} : 0;
}

std::string conflict_in(const Options& options) {
  if (options.action.empty() || options.action.size() > wire::kNameBytesMax)
    return fmt::format("--action has {} bytes: type a name of 1 to {}", options.action.size(), wire::kNameBytesMax);
  if (options.arrivals == Arrivals::kPoisson && !options.open_loop()) return "--poisson needs a rate: add --rate 10k/s";
  if (options.service_time.form != ServiceTime::Form::kNone && options.workers == 0)
    return "--service-time is for in-process workers: add --workers 4";
  if (std::string conflict = conflict_in_transport(options); !conflict.empty()) return conflict;
  const std::uint64_t prompt_max = prompt_bytes_max(options, options.mtu);
  if (options.prompt_bytes > prompt_max)
    return fmt::format("--payload {}B does not fit one frame with this action: at most {}B", options.prompt_bytes,
                       prompt_max);
  return {};
}

}  // namespace mcplane::loadgen
