// See port_load.h.
#include "port_load.h"

#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include "wire/checksum.h"
#include "wire/layout.h"
#include "wire/neighbour.h"

namespace mcplane::perf {
namespace {

constexpr std::size_t kLower = wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes;
constexpr wire::MacAddress kBrokerMac = {2, 0, 0, 0, 0, 1}, kOurMac = {2, 0, 0, 0, 0, 2};
const wire::IpAddress kOurIp = wire::IpAddress::v4({10, 0, 0, 2});

loadgen::Options load_options(const PortLoadOptions& given) {
  loadgen::Options options;
  options.broker = loadgen::FakeWorld::broker_endpoint();
  options.clients = given.clients;
  options.workers = given.workers;
  options.window = given.window;
  options.worker_slots = 64;
  options.prompt_bytes = given.payload_bytes;
  options.duration_ns = 86'400 * kNsPerSecond;
  return options;
}

std::uint32_t buffers_for(const PortLoadOptions& given) { return 2 * given.clients * given.window + 1'024; }

}  // namespace

PortLoad::PortLoad(const PortLoadOptions& given)
    : options_(load_options(given)),
      nic_({.buffers = buffers_for(given)}),
      link_({{{kOurIp, 24}}, kOurMac, options_.broker.ip, options_.broker.ip}),
      shell_(nic_, link_, std::size_t{given.clients} + given.workers, Clock{&now_ns_}),
      clients_(options_, 1, shell_.transmit_from(0), progress_),
      workers_(options_, 2, shell_.transmit_from(given.clients)),
      fleets_(clients_, workers_, given.clients),
      broker_({}),
      workers_there_(given.workers),
      tasks_(std::size_t{given.clients} * given.window),
      generations_(tasks_.size()) {
  for (std::uint32_t i = 0; i < tasks_.size(); ++i) free_tasks_.push_back(i);
  std::array<std::byte, 64> announcement{};
  nic_.inject(std::span(announcement).first(wire::announce(options_.broker.ip, kBrokerMac, announcement)));
  for (int step = 0; step < 10'000 && (clients_.registered() < given.clients || workers_.registered() < given.workers);
       ++step) {
    shell_.poll(fleets_);
    collect();
    now_ns_ += 100'000;
  }
  clients_.begin(now_ns_);
  while (routes_.size() < tasks_.size()) {
    shell_.poll(fleets_);
    collect();
    now_ns_ += 1'000;
  }
}

void PortLoad::turn() {
  now_ns_ += 10'000;
  counts.answers += inject(delivers_);
  counts.client_cycles += timed_poll();
  collect();
  counts.routes += inject(routes_);
  counts.worker_cycles += timed_poll();
  collect();
}

std::uint64_t PortLoad::timed_poll() {
  const std::uint64_t start = __rdtsc();
  shell_.poll(fleets_);
  return __rdtsc() - start;
}

std::size_t PortLoad::inject(std::deque<net::Packet>& packets) {
  const std::size_t count = std::min(kBurst, packets.size());
  for (std::size_t i = 0; i < count; ++i) {
    // As a driver that has just copied the frame leaves it: in the cache.
    benchmark::DoNotOptimize(wire::sum_bytes(packets.front().bytes()));
    nic_.inject(std::move(packets.front()));
    packets.pop_front();
  }
  return count;
}

void PortLoad::collect() {
  std::array<net::Packet, net::kBurstMax> sent;
  while (const std::size_t count = nic_.take_sent(sent))
    for (net::Packet& packet : std::span(sent).first(count)) turn_round(std::move(packet));
}

void PortLoad::seal(net::Packet& packet, std::uint16_t to_port, std::size_t datagram_bytes) {
  const auto lower = wire::make_lower_headers(kBrokerMac, kOurMac, wire::kNoVlan, options_.broker, {kOurIp, to_port});
  packet.set_length(static_cast<std::uint16_t>(kLower + datagram_bytes));
  wire::write_lower_headers(lower, packet.data(), static_cast<std::uint16_t>(datagram_bytes),
                            wire::sum_bytes({packet.data() + kLower, datagram_bytes}));
}

void PortLoad::turn_round(net::Packet packet) {
  const auto frame = packet.bytes();
  if (wire::load_be16(frame.data() + 12) != wire::kEtherIpv4) return nic_.free({&packet, 1});
  const std::uint16_t port = wire::load_be16(frame.data() + kLower - wire::kUdpBytes);
  const auto datagram = frame.subspan(kLower);
  wire::Header& header = wire::header_of(datagram);
  if (header.type() == wire::FrameType::Send) {
    const std::uint32_t index = free_tasks_.back();
    free_tasks_.pop_back();
    tasks_[index] = {header.session(), header.sequence(), header.slot(), port};
    const std::size_t index_of_worker = routed_++ % workers_there_.size();
    Worker& worker = workers_there_[index_of_worker];
    header.mutate_type(wire::FrameType::Route);
    header.mutate_attempt(1);
    header.mutate_worker_session(worker.session);
    wire::set_route_number(header, ++worker.routes);
    header.mutate_sequence(worker.owed.empty() ? 0 : worker.owed.back());
    if (!worker.owed.empty()) worker.owed.pop_back();
    wire::set_token(header, TaskToken::make(ShardId{0}, index, ++generations_[index]));
    seal(packet, static_cast<std::uint16_t>(loadgen::kBasePort + options_.clients + index_of_worker), datagram.size());
    routes_.push_back(std::move(packet));
  } else if (header.type() == wire::FrameType::Result) {
    const std::uint32_t index = wire::token_of(header).index();
    const Task& task = tasks_[index];
    workers_there_[port - loadgen::kBasePort - options_.clients].owed.push_back(header.sequence());
    header.mutate_type(wire::FrameType::Deliver);
    header.mutate_session(task.session);
    header.mutate_sequence(task.sequence);
    header.mutate_slot(task.slot);
    seal(packet, task.port, datagram.size());
    free_tasks_.push_back(index);
    delivers_.push_back(std::move(packet));
  } else {
    reply(datagram, port);
    nic_.free({&packet, 1});
  }
}

// HELLO and PING: whatever is not counted in cycles.
void PortLoad::reply(std::span<const std::byte> datagram, std::uint16_t port) {
  for (const auto& answer : broker_.handle(datagram, {kOurIp, port})) {
    const wire::Header& header = wire::header_of(answer.view());
    const std::size_t endpoint = std::size_t{answer.to.port} - loadgen::kBasePort;
    if (header.answers() == wire::FrameType::Hello && endpoint >= options_.clients)
      workers_there_[endpoint - options_.clients].session = header.session();
    net::Packet packet;
    if (!nic_.allocate({&packet, 1})) return;
    std::memcpy(packet.data() + kLower, answer.view().data(), answer.view().size());
    seal(packet, answer.to.port, answer.view().size());
    nic_.inject(std::move(packet));
  }
}

std::string PortLoad::fault() {
  for (int i = 0; i < 3; ++i) turn();
  const loadgen::Tally& tally = clients_.close(now_ns_);
  if (tally.mismatched > 0) return "an answer did not match";
  if (tally.delivered() != counts.answers) return "answers were not taken";
  if (tally.repeated_frames + tally.dropped_frames > 0) return "frames were dropped";
  if (shell_.counts().rx_dropped + shell_.counts().tx_dropped > 0) return "the port dropped frames";
  return "";
}

}  // namespace mcplane::perf
