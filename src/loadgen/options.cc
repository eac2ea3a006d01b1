// See options.h.
#include "loadgen/options.h"

#include <fmt/format.h>

#include <cmath>

#include "loadgen/event_ledger.h"
#include "loadgen/pattern.h"
#include "wire/datagram.h"
#include "wire/header.h"
#include "wire/payload.h"
#include "wire/route_table.h"
#include "wire/topic.h"

namespace mcplane::loadgen {
namespace {

std::uint64_t send_bytes(const Options& options, std::size_t prompt_bytes) {
  return wire::kLeadBytes + wire::write_route_table(options.action, "", {}, "").size() +
         PayloadWriter({0, prompt_bytes}).payload_bytes_max();
}

// Of an EVENT, without its payload.
std::size_t event_bytes_around(const Options& options) {
  return wire::kLeadBytes + wire::write_publication(event_topic(~std::uint64_t{0}, options.topics - 1)).size();
}

double seconds_of(std::uint64_t ns) noexcept { return static_cast<double>(ns) / static_cast<double>(kNsPerSecond); }

// The address behind it, as numbers go.
wire::IpAddress next_address(wire::IpAddress ip) noexcept {
  const std::size_t first = ip.is_v4() ? 12 : 8;
  for (std::size_t i = ip.bytes.size(); i > first && ++ip.bytes[i - 1] == 0; --i) continue;
  return ip;
}

std::string conflict_in_endpoints(const Options& options) {
  const wire::Prefix& own = options.port->address;
  if (options.endpoints() > kEndpointsMax)
    return fmt::format("{} endpoints are more than the {} UDP ports of {} addresses: type fewer", options.endpoints(),
                       kEndpointsMax, kAddressesMax);
  const wire::Prefix last = port_addresses(options).back();
  // The address behind the last one may be the network's broadcast, but still is on it.
  if (last.ip != own.ip && !own.contains(next_address(last.ip)))
    return fmt::format(
        "{} endpoints need the addresses from {} to {}, which --ip's network /{} does not have: type a "
        "shorter prefix, such as /16",
        options.endpoints(), wire::to_string(own.ip), wire::to_string(last.ip), own.length);
  return {};
}

// Endpoints and addresses.
std::string conflict_in_transport(const Options& options) {
  if (!options.port) {
    if (options.events && options.endpoints() > kSocketsMax)
      return fmt::format("over sockets there are at most {} clients and subscribers: type fewer, or --port KIND:NAME",
                         kSocketsMax);
    if (options.events || std::max(options.clients, options.workers) <= kSocketsMax) return {};
    return fmt::format("over sockets there are at most {} clients and {} workers: type fewer, or --port KIND:NAME",
                       kSocketsMax, kSocketsMax);
  }
  const wire::Prefix& own = options.port->address;
  const std::string broker = wire::to_string(options.broker.ip);
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
  return conflict_in_endpoints(options);
}

std::string conflict_in_surge(const Options& options) {
  const Surge& surge = options.surge;
  const std::uint64_t measured_from_ns = options.ramp_ns + options.warmup_ns;
  if (surge.rate_per_second == 0) return {};
  if (!options.port) return "--surge-rate is for --port: over sockets run mcplane-load twice";
  if (!options.open_loop() || options.sweep) return "--surge-rate comes on top of one rate: add --rate 10k/s";
  if (surge.after_ns >= measured_from_ns + options.duration_ns)
    return "--surge-after is behind the end of the run: type less, or a longer --duration";
  if (surge.length_ns > 0 && surge.after_ns + surge.length_ns <= measured_from_ns)
    return "--surge-for ends before anything is measured: type more, or a shorter --warmup";
  return {};
}

std::string conflict_in_load(const Options& options) {
  if (options.arrivals == Arrivals::kPoisson && !options.open_loop()) return "--poisson needs a rate: add --rate 10k/s";
  if (options.ramp_ns > 0 && options.sweep) return "--ramp leads to one rate, --sweep has many; keep one";
  if (options.ramp_ns > 0 && !options.open_loop()) return "--ramp needs a rate to lead to: add --rate 10k/s";
  if (options.ramp_from_per_second > 0 && options.ramp_ns == 0)
    return "--ramp-from is where a ramp starts: add --ramp 10s";
  if (options.sweep && options.tasks > 0) return "--tasks ends one run, --sweep makes many; keep one";
  return conflict_in_surge(options);
}

std::string conflict_in_payload(const Options& options) {
  const std::uint64_t prompt_max = prompt_bytes_max(options, options.mtu);
  const double mean = options.prompt_sizes.mean;
  if (options.events && options.prompt_bytes > prompt_max)
    return fmt::format("--payload {}B does not fit one frame with its topic: at most {}B", options.prompt_bytes,
                       prompt_max);
  if (options.prompt_sizes.form == PromptSizes::Form::kExponential && mean > static_cast<double>(prompt_max))
    return fmt::format("--payload exp:{:.0f}B does not fit one frame with this action: at most {}B", mean, prompt_max);
  return {};
}

std::string conflict_in_stream(const Options& options) {
  const StreamShape& stream = options.stream;
  if (!options.streams()) return {};
  if (options.workers == 0) return "--stream is what in-process workers answer: add --workers 4";
  if (options.surge_clients() > 0) return "--stream does not tell a surge's chunks apart: leave out --surge-rate";
  if (const std::uint64_t most = chunk_bytes_max(options, options.mtu); stream.chunk_bytes > most)
    return fmt::format("--stream: a chunk of {}B does not fit one frame: at most {}B", stream.chunk_bytes, most);
  const std::uint64_t takes_ns = (stream.chunks - 1) * stream.interval_ns;
  if (takes_ns >= options.ttl_ns)
    return fmt::format("--stream: {} chunks take {:.1f} s at that interval, and a task has {:.1f} s: add --ttl {:.0f}s",
                       stream.chunks, seconds_of(takes_ns), seconds_of(options.ttl_ns),
                       std::ceil(1.5 * seconds_of(takes_ns)) + 1);
  return {};
}

std::string conflict_in_reflect(const Options& options) {
  if (!options.reflect) return {};
  if (!options.port) return "--reflect turns frames of a port round: add --port KIND:NAME";
  if (options.workers == 0) return "--reflect has both ends: add --workers 8";
  if (options.sweep) return "--reflect has one rate: type --rate in place of --sweep";
  if (options.surge_clients() > 0) return "--reflect has no clients beside the others: leave out --surge-rate";
  if (options.prompt_sizes.form != PromptSizes::Form::kConstant)
    return "--reflect: tasks are all of one size; type it, such as --payload 256B";
  return {};
}

std::string conflict_in_events(const Options& options) {
  if (!options.events) return {};
  if (options.topics > options.subscribers)
    return fmt::format("--topics {} would leave some without a subscriber: type fewer, or more --subscribers",
                       options.topics);
  if (options.prompt_sizes.form != PromptSizes::Form::kConstant)
    return "--payload: events are all of one size; type it, such as 256B";
  return {};
}

}  // namespace

Options surge_options(const Options& options) {
  const Surge& surge = options.surge;
  const std::uint64_t measured_from_ns = options.ramp_ns + options.warmup_ns;
  const std::uint64_t run_end_ns = measured_from_ns + options.duration_ns;
  const std::uint64_t end_ns =
      surge.length_ns == 0 ? run_end_ns : std::min(run_end_ns, surge.after_ns + surge.length_ns);
  Options own = options;
  own.clients = surge.clients;
  own.rate_per_second = surge.rate_per_second;
  own.ramp_ns = 0;
  own.ramp_from_per_second = 0;
  own.warmup_ns = std::max(measured_from_ns, surge.after_ns) - surge.after_ns;
  own.duration_ns = end_ns - surge.after_ns - own.warmup_ns;
  own.tasks = 0;
  own.seed = options.seed + 1;
  return own;
}

std::uint64_t send_bytes(const Options& options) { return send_bytes(options, options.prompt_bytes); }

std::uint64_t prompt_bytes_max(const Options& options, std::uint16_t packet_bytes) {
  if (options.events) {
    const std::size_t around = wire::kIpv6Bytes + wire::kUdpBytes + event_bytes_around(options);
    return packet_bytes > around ? packet_bytes - around : 0;
  }
  const std::size_t ip_bytes = options.broker.ip.is_v4() ? wire::kIpv4Bytes : wire::kIpv6Bytes;
  // A payload grows with its prompt in steps of 4 bytes; measured at a multiple of 4 it is prompt + wrapping.
  const std::size_t fixed_bytes = ip_bytes + wire::kUdpBytes + send_bytes(options, kPromptBytesMin) - kPromptBytesMin;
  return packet_bytes > fixed_bytes ? (packet_bytes - fixed_bytes) & ~std::uint64_t{3} : 0;
}

std::string conflict_in(const Options& options) {
  if (options.action.empty() || options.action.size() > wire::kNameBytesMax)
    return fmt::format("--action has {} bytes: type a name of 1 to {}", options.action.size(), wire::kNameBytesMax);
  if (options.service_time.form != ServiceTime::Form::kNone && options.workers == 0)
    return "--service-time is for in-process workers: add --workers 4";
  if (options.faulty_workers.count > options.workers)
    return fmt::format("--faulty-workers: {} of {} workers cannot be: type fewer, or more --workers",
                       options.faulty_workers.count, options.workers);
  if (options.faulty_workers.times > 1 && options.service_time.form == ServiceTime::Form::kNone)
    return "--faulty-workers slow:... needs a time to be longer than: add --service-time exp:1ms";
  if (std::string conflict = conflict_in_load(options); !conflict.empty()) return conflict;
  if (std::string conflict = conflict_in_reflect(options); !conflict.empty()) return conflict;
  if (std::string conflict = conflict_in_stream(options); !conflict.empty()) return conflict;
  if (std::string conflict = conflict_in_events(options); !conflict.empty()) return conflict;
  if (std::string conflict = conflict_in_transport(options); !conflict.empty()) return conflict;
  return conflict_in_payload(options);
}

std::uint64_t chunk_bytes_max(const Options& options, std::uint16_t packet_bytes) {
  const std::size_t ip_bytes = options.broker.ip.is_v4() ? wire::kIpv4Bytes : wire::kIpv6Bytes;
  const std::size_t around = ip_bytes + wire::kUdpBytes + wire::kLeadBytes + wire::kAnswerBytesAround;
  return packet_bytes > around ? packet_bytes - around : 0;
}

std::vector<wire::Prefix> port_addresses(const Options& options) {
  const PortTransport& port = *options.port;
  std::vector<wire::Prefix> addresses = {port.address};
  for (wire::IpAddress ip = port.address.ip; addresses.size() * kEndpointsPerAddress < options.endpoints();) {
    ip = next_address(ip);
    if (ip != options.broker.ip && ip != port.gateway) addresses.push_back({ip, port.address.length});
  }
  return addresses;
}

}  // namespace mcplane::loadgen
