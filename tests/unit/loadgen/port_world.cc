// See port_world.h.
#include "port_world.h"

#include "support/allocations.h"
#include "wire/checksum.h"
#include "wire/neighbour.h"

namespace mcplane::loadgen {
namespace {

constexpr wire::MacAddress kLoadMac = {2, 0, 0, 0, 0, 2}, kWorldMac = {2, 0, 0, 0, 0, 1};
const wire::IpAddress kOurIp = wire::IpAddress::v4({10, 0, 0, 2});

std::vector<wire::Prefix> addresses_for(Options options) {
  options.port.emplace().address = {kOurIp, 16};
  return port_addresses(options);
}

wire::LocalAddresses broker_host() {
  wire::LocalAddresses local;
  local.ips[local.count++] = {FakeWorld::broker_endpoint().ip, 24};
  local.mac = kWorldMac;
  return local;
}

}  // namespace

PortWire::PortWire(const Options& given, const Faults& faults, const net::MemoryNic::Options& nic_options)
    : options(given),
      nic(nic_options),
      link({addresses_for(given), kLoadMac, given.broker.ip, given.broker.ip}),
      broker(faults) {}

void PortWire::exchange() {
  for (const auto& frame : nic.take_sent_bytes()) to_broker(frame);
  now_ns += kStepNs;
}

PortWorld::PortWorld(const Options& given, const Faults& faults, const net::MemoryNic::Options& nic_options)
    : PortWire(given, faults, nic_options),
      shell(nic, link, given.endpoints(), Clock{&now_ns}),
      clients(given, 1, shell.transmit_from(0), progress),
      surge(surge_of(given)),
      workers(given, 2, shell.transmit_from(given.clients + given.surge_clients())),
      fleets(clients, workers, given.clients, surge ? &*surge : nullptr, given.surge_clients()) {}

std::optional<ClientFleet> PortWorld::surge_of(const Options& given) {
  if (given.surge_clients() == 0) return std::nullopt;
  return std::optional<ClientFleet>(std::in_place, surge_options(given), 3, shell.transmit_from(given.clients),
                                    surge_progress);
}

void PortWorld::step() {
  const std::size_t before = heap_allocations();
  shell.poll(fleets);
  allocations_in_polls += heap_allocations() - before;
  exchange();
}

void PortWire::to_broker(std::span<const std::byte> frame) {
  const wire::LocalAddresses host = broker_host();
  const wire::Datagram parsed = wire::parse_frame(frame, host, false);
  if (parsed.frame_class == wire::FrameClass::kControl && reachable_) {
    std::vector<std::byte> answer(frame.size() + 64);
    answer.resize(wire::answer_neighbour_frame(frame, host, answer));
    if (!answer.empty()) nic.inject(answer);
  }
  if (parsed.frame_class != wire::FrameClass::kUdp) return;
  std::vector<std::byte> datagram(2);
  const auto bytes = frame.subspan(parsed.payload_offset, parsed.payload_length);
  datagram.insert(datagram.end(), bytes.begin(), bytes.end());
  for (const auto& reply : broker.handle(std::span(datagram).subspan(2), parsed.source))
    nic.inject(frame_to(reply.to, reply.view()));
}

std::vector<std::byte> PortWire::frame_to(const wire::Endpoint& to, std::span<const std::byte> datagram) const {
  const auto lower = wire::make_lower_headers(kWorldMac, kLoadMac, wire::kNoVlan, options.broker, to);
  std::vector<std::byte> frame(std::max(lower.length + datagram.size(), wire::kLowerBytesMax));
  wire::write_lower_headers(lower, frame.data(), static_cast<std::uint16_t>(datagram.size()),
                            wire::sum_bytes(datagram));
  frame.resize(lower.length);
  frame.insert(frame.end(), datagram.begin(), datagram.end());
  return frame;
}

std::vector<std::byte> PortWire::frame_to(std::uint16_t port, std::span<const std::byte> datagram) const {
  return frame_to(wire::Endpoint{kOurIp, port}, datagram);
}

void PortWorld::run_until_registered() {
  const std::uint64_t give_up_ns = now_ns + 10 * kNsPerSecond;
  const auto registered = [this] {
    return clients.registered() + workers.registered() + (surge ? surge->registered() : 0);
  };
  while (registered() < options.endpoints() && now_ns < give_up_ns) step();
}

const Tally& PortWorld::run() {
  run_until_registered();
  clients.begin(now_ns);
  if (surge) surge->begin(now_ns + options.surge.after_ns);
  while (!clients.done() || (surge && !surge->done())) step();
  return clients.close(now_ns);
}

}  // namespace mcplane::loadgen
