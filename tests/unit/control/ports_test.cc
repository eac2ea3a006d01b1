// Two ports in two subnets, two shards, and the real dataplane between control and the wire: where frames leave, and
// to whom on the link.
#include <gtest/gtest.h>

#include <algorithm>

#include "control/control.h"
#include "support/shard_rig.h"

namespace mcplane::control {
namespace {

using testing::Bytes;
using testing::FrameSpec;
using testing::Sent;
using wire::FrameType;
using wire::IpAddress;
using wire::MacAddress;

constexpr PortId kWest{0}, kEast{1};
constexpr MacAddress kWestMac = {2, 0, 0, 0, 0, 0xa0}, kEastMac = {2, 0, 0, 0, 0, 0xa1};
constexpr MacAddress kClientMac = {2, 0, 0, 0, 0, 0xc0}, kWorkerMac = {2, 0, 0, 0, 0, 0xd0};
constexpr MacAddress kRouterMac = {2, 0, 0, 0, 0, 0xe0}, kStandbyMac = {2, 0, 0, 0, 0, 0xe1};
const IpAddress kWestIp = IpAddress::v4({10, 0, 0, 1}), kEastIp = IpAddress::v4({10, 1, 0, 1});
const IpAddress kGateway = IpAddress::v4({10, 1, 0, 254});

testing::RigOptions rig_options() {
  testing::RigOptions options;
  options.shards = 2;
  options.ports = 2;
  options.shard.ports.resize(2);
  options.shard.ports[0] = {.ips = {wire::Prefix{kWestIp, 24}}, .count = 1, .mac = kWestMac};
  options.shard.ports[1] = {.ips = {wire::Prefix{kEastIp, 24}}, .count = 1, .mac = kEastMac};
  return options;
}

// An endpoint on one of the links, as the rig's frame builders know it.
struct Endpoint {
  testing::Peer peer;
  PortId port{};
  IpAddress broker;
  MacAddress broker_mac{};
};

class PortsTest : public ::testing::Test {
 protected:
  void start(Gateways gateways = {}) {
    ControlOptions options;
    options.base_port = testing::kOurPort;
    options.max_sessions = testing::ShardRig::kSessions;
    options.max_clients = 8;
    options.client_slots = 64;
    options.gateways = std::move(gateways);
    control.emplace(rig.shared, std::move(options), rig.options.shard.ports, Random(7));
    pass(1);
  }

  // Some ms, with a poll of control and a turn of every shard in each. What was sent is kept in `sent`.
  void pass(std::uint64_t ms) {
    for (std::uint64_t i = 0; i < ms; ++i) {
      now_ns += kNsPerMs;
      rig.advance_ms(1);
      control->poll(now_ns);
      for (int turn = 0; turn < 3; ++turn) rig.step();
      for (Sent& frame : rig.take_sent())
        if (frame.parsed.lower.frame_class == wire::FrameClass::kUdp) sent.push_back(std::move(frame));
    }
  }

  void put(const Endpoint& from, FrameSpec spec) {
    spec.destination.ip = from.broker;
    spec.destination_mac = from.broker_mac;
    rig.send(spec, from.port);
  }
  // A broadcast on a port's link.
  void shout(PortId port, const Bytes& frame) { rig.inject(ShardId{0}, frame, port); }

  // HELLO with a valid cookie, and the session its ACK names.
  Endpoint join(wire::Service service, PortId port, const IpAddress& ip, const MacAddress& mac) {
    Endpoint endpoint;
    endpoint.port = port;
    endpoint.broker = rig.options.shard.ports[raw(port)].ips[0].ip;
    endpoint.broker_mac = rig.options.shard.ports[raw(port)].mac;
    endpoint.peer.spec.service = service;
    endpoint.peer.mac = mac;
    endpoint.peer.address = {ip, testing::kPeerPort};
    wire::HelloBody body;
    body.service = service;
    body.name = "peer";
    if (wire::is_worker(service))
      body.slots = 4, body.actions = {"generate"}, body.models = {"llama"}, body.tags = {"gpu"};
    FrameSpec hello = rig.spec_of(endpoint.peer, FrameType::Hello);
    hello.table = wire::write_hello(body);
    hello.cookie = wire::make_cookie(rig.shared.options.cookie_key, hello.source,
                                     static_cast<std::uint32_t>(rig.now_ns / kNsPerMs));
    put(endpoint, hello);
    pass(3);
    std::erase_if(sent, [](const Sent& frame) { return frame.header().answers() != FrameType::Hello; });
    const Sent ack = take(FrameType::Ack);
    EXPECT_EQ(ack.port, port);
    EXPECT_EQ(ack.mac, mac) << "where the HELLO came from";
    endpoint.peer.session = {ack.header().session()};
    endpoint.peer.spec.shard =
        ShardId(static_cast<std::uint8_t>(wire::welcome_of(ack.parsed.datagram).port() - testing::kOurPort));
    return endpoint;
  }
  // A worker is used once it was heard on every shard.
  Endpoint join_worker(const IpAddress& ip, const MacAddress& mac) {
    Endpoint worker = join(wire::Service::kWorker, kEast, ip, mac);
    for (std::uint8_t shard = 0; shard < 2; ++shard) {
      FrameSpec ping = rig.spec_of(worker.peer, FrameType::Ping);
      ping.destination.port = static_cast<std::uint16_t>(testing::kOurPort + shard);
      put(worker, ping);
    }
    pass(15);
    sent.clear();
    return worker;
  }

  // The only frame of that type that left; others are gone.
  Sent take(FrameType type) {
    std::erase_if(sent, [&](const Sent& frame) { return frame.type() != type; });
    EXPECT_EQ(sent.size(), 1U) << wire::fb::EnumNameFrameType(type);
    if (sent.empty()) throw std::runtime_error("no such frame");
    Sent frame = std::move(sent.front());
    sent.clear();
    return frame;
  }
  static MacAddress source_mac(const Sent& frame) {
    MacAddress mac;
    std::memcpy(mac.data(), frame.bytes.data() + 6, mac.size());
    return mac;
  }
  Sent route(const Endpoint& client, std::uint32_t sequence) {
    put(client, rig.send_spec(client.peer, 0, sequence));
    pass(2);
    return take(FrameType::Route);
  }
  // RESULT of a ROUTE, and the DELIVER it becomes.
  Sent deliver(const Endpoint& worker, const Sent& routed) {
    put(worker, rig.result_spec(worker.peer, routed.header()));
    pass(2);
    return take(FrameType::Deliver);
  }

  testing::ShardRig rig{rig_options()};
  std::optional<Control> control;
  std::uint64_t now_ns = kNsPerSecond;
  std::vector<Sent> sent;
};

TEST_F(PortsTest, ATaskCrossesFromOnePortToTheOther) {
  start();
  const Endpoint worker = join_worker(IpAddress::v4({10, 1, 0, 2}), kWorkerMac);
  for (std::uint8_t i = 0; i < 2; ++i) {  // a client of each shard
    const Endpoint client =
        join(wire::Service::kClient, kWest, IpAddress::v4({10, 0, 0, static_cast<std::uint8_t>(2 + i)}), kClientMac);
    EXPECT_EQ(client.peer.spec.shard, ShardId{i});
    const Sent routed = route(client, 1);
    EXPECT_EQ(routed.port, kEast);
    EXPECT_EQ(routed.mac, kWorkerMac);
    EXPECT_EQ(source_mac(routed), kEastMac);
    EXPECT_EQ(routed.parsed.lower.source, (wire::Endpoint{kEastIp, static_cast<std::uint16_t>(testing::kOurPort + i)}));
    EXPECT_EQ(routed.to(), worker.peer.address);
    const Sent delivered = deliver(worker, routed);
    EXPECT_EQ(delivered.port, kWest);
    EXPECT_EQ(delivered.mac, kClientMac);
    EXPECT_EQ(source_mac(delivered), kWestMac);
    EXPECT_EQ(delivered.parsed.lower.source,
              (wire::Endpoint{kWestIp, static_cast<std::uint16_t>(testing::kOurPort + i)}));
    EXPECT_EQ(delivered.to(), client.peer.address);
  }
  EXPECT_EQ(control->neighbours().count(kWest), 2U);
  EXPECT_EQ(control->neighbours().count(kEast), 1U);
}

TEST_F(PortsTest, AGratuitousArpMovesEverySessionOfAHostAndNobodyElse) {
  start();
  const Endpoint worker = join_worker(IpAddress::v4({10, 1, 0, 2}), kWorkerMac);
  const Endpoint client = join(wire::Service::kClient, kWest, IpAddress::v4({10, 0, 0, 2}), kClientMac);
  shout(kWest, testing::build_gratuitous_arp(kStandbyMac, worker.peer.address.ip));  // the wrong link
  shout(kEast, testing::build_gratuitous_arp(kStandbyMac, client.peer.address.ip));
  pass(2);
  const Sent first = route(client, 1);
  EXPECT_EQ(first.mac, kWorkerMac);
  EXPECT_EQ(deliver(worker, first).mac, kClientMac);
  shout(kEast, testing::build_gratuitous_arp(kStandbyMac, worker.peer.address.ip));
  pass(2);
  const Sent second = route(client, 2);
  EXPECT_EQ(second.mac, kStandbyMac);
  EXPECT_EQ(second.port, kEast);
  EXPECT_EQ(deliver(worker, second).mac, kClientMac);
}

TEST_F(PortsTest, AWorkerBehindAGatewayIsReachedThroughIt) {
  start({{}, {kGateway}});
  const auto answer = testing::build_arp(
      {.sender_mac = kRouterMac, .destination_mac = kEastMac, .sender = kGateway, .target = kEastIp});
  shout(kEast, answer);
  pass(2);
  // Its frames come by the hand of the router's own interface, ours go to the gateway's MAC.
  const Endpoint worker = join_worker(IpAddress::v4({198, 51, 100, 7}), kWorkerMac);
  const Endpoint client = join(wire::Service::kClient, kWest, IpAddress::v4({10, 0, 0, 2}), kClientMac);
  const Sent routed = route(client, 1);
  EXPECT_EQ(routed.port, kEast);
  EXPECT_EQ(routed.mac, kRouterMac);
  EXPECT_EQ(deliver(worker, routed).mac, kClientMac);
  EXPECT_EQ(control->neighbours().count(kEast), 1U);
  shout(kEast, testing::build_gratuitous_arp(kStandbyMac, kGateway));
  pass(2);
  EXPECT_EQ(route(client, 2).mac, kStandbyMac) << "fail-over of the gateway";
}

}  // namespace
}  // namespace mcplane::control
