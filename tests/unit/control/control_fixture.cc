// Frames are built and read with tests/support and wire, as real endpoints would.
#include "control_fixture.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "wire/layout.h"

namespace mcplane::control {

using testing::Family;

namespace {

// What control says of its own accord below UDP: an ARP request, gratuitous or not, a neighbour solicitation, an
// advertisement to all.
bool is_spoken(const state::Command& command) {
  if (command.kind != state::CommandKind::kTransmit) return false;
  const std::byte* const frame = command.bytes.data();
  const bool tagged = wire::load_be16(frame + 12) == wire::kEtherVlan;
  const std::size_t l3 = wire::kEthernetBytes + (tagged ? wire::kVlanBytes : 0);
  const std::uint16_t type = wire::load_be16(frame + l3 - 2);
  if (type == wire::kEtherArp) return wire::load_be16(frame + l3 + 6) == wire::kArpRequest;
  if (type != wire::kEtherIpv6 || wire::load_u8(frame + l3 + 6) != wire::kProtocolIcmpv6) return false;
  const std::uint8_t message = wire::load_u8(frame + l3 + wire::kIpv6Bytes);
  const bool to_all = wire::load_ipv6(frame + l3 + 24) == wire::kAllNodes;
  return message == wire::kNeighbourSolicitation || (message == wire::kNeighbourAdvertisement && to_all);
}

}  // namespace

HelloSpec client_hello(std::uint16_t peer_port, std::uint8_t instance) {
  HelloSpec spec;
  spec.body.service = wire::Service::kClient;
  spec.body.instance[0] = instance;
  spec.body.name = "agent";
  spec.peer.port = peer_port;
  return spec;
}

HelloSpec worker_hello(std::uint16_t peer_port, std::uint8_t instance, std::vector<std::string> actions) {
  HelloSpec spec = client_hello(peer_port, instance);
  spec.body.service = wire::Service::kWorker;
  spec.body.slots = 3;
  spec.body.name = "gpu";
  spec.body.actions = std::move(actions);
  return spec;
}

SentFrame read_frame(const state::Command& command) {
  wire::LocalAddresses peer;
  peer.mac = testing::kPeerMac;
  for (const Family family : {Family::kIpv4, Family::kIpv6})
    peer.ips[peer.count++] = {testing::peer_endpoint(family).ip, std::uint8_t{24}};
  const testing::Parsed parsed = testing::parse(command.frame(), peer);
  EXPECT_EQ(parsed.reason, DropReason::kNone) << name_of(parsed.reason);
  SentFrame sent{.lower = parsed.lower, .header = {}, .welcome = {}};
  if (parsed.reason != DropReason::kNone) return sent;
  sent.header = parsed.header();
  if (sent.header.answers() == wire::FrameType::Hello && sent.header.type() == wire::FrameType::Ack)
    sent.welcome = wire::welcome_of(parsed.datagram);
  return sent;
}

void ControlTest::start(std::uint32_t shards) {
  shared_options.shards = shards;
  shared = std::make_unique<state::Shared>(shared_options);
  paused.assign(shards, false);
  for (auto& shard : shared->shards) shard->loop_ns.store(shard_now_ns);
  control = std::make_unique<Control>(*shared, options, ports, Random(7));
  poll();
  discard_commands();  // the announcements
}

void ControlTest::punt_hello(const HelloSpec& spec, std::size_t shard) {
  testing::FrameSpec frame;
  frame.type = wire::FrameType::Hello;
  frame.source = spec.peer;
  frame.destination = spec.local;
  frame.vlan = spec.vlan;
  frame.source_mac = spec.mac;
  frame.cookie = wire::make_cookie({}, spec.peer, spec.cookie_ms);
  frame.table = wire::write_hello(spec.body);
  frame.edit = [&](wire::Header& header) { header.mutate_sequence(spec.number); };
  const testing::Bytes bytes = testing::build_frame(frame);
  state::Punt punt;
  punt.kind = state::PuntKind::kHello;
  punt.length = static_cast<std::uint16_t>(bytes.size());
  std::ranges::copy(bytes, punt.bytes.begin());
  punt.payload_offset = testing::parse(bytes).lower.payload_offset;
  punt.port = spec.port;
  punt.vlan = spec.vlan;
  punt.handshake_ms = spec.handshake_ms;
  punt.peer = spec.peer;
  punt.local = spec.local.ip;
  punt.local_port = spec.local.port;
  ASSERT_TRUE(shared->shards[shard]->mailbox.to_control.try_push(punt));
}

void ControlTest::punt_bye(SessionId session, const wire::Endpoint& peer, std::size_t shard) {
  state::Punt punt{};
  punt.kind = state::PuntKind::kBye;
  punt.session = session;
  punt.peer = peer;
  ASSERT_TRUE(shared->shards[shard]->mailbox.to_control.try_push(punt));
}

void ControlTest::punt_subscribe(SessionId session, std::uint32_t number, const testing::Bytes& table,
                                 const HelloSpec& by, std::size_t shard) {
  testing::FrameSpec frame;
  frame.type = table.empty() ? wire::FrameType::Unsubscribe : wire::FrameType::Subscribe;
  frame.source = by.peer;
  frame.table = table;
  frame.edit = [&](wire::Header& header) {
    header.mutate_session(session.value);
    header.mutate_sequence(number);
  };
  const testing::Bytes bytes = testing::build_frame(frame);
  state::Punt punt{};
  punt.kind = state::PuntKind::kSubscribe;
  punt.session = session;
  punt.length = static_cast<std::uint16_t>(bytes.size());
  std::ranges::copy(bytes, punt.bytes.begin());
  punt.payload_offset = testing::parse(bytes).lower.payload_offset;
  punt.peer = by.peer;
  ASSERT_TRUE(shared->shards[shard]->mailbox.to_control.try_push(punt));
}

void ControlTest::punt_ended(SessionId session, std::size_t shard) {
  state::Punt punt{};
  punt.kind = state::PuntKind::kSessionEnded;
  punt.session = session;
  ASSERT_TRUE(shared->shards[shard]->mailbox.to_control.try_push(punt));
}

void ControlTest::punt_frame(const testing::Bytes& frame, std::size_t shard, PortId port) {
  state::Punt punt{};
  punt.port = port;
  punt.kind = state::PuntKind::kNeighbour;
  punt.length = static_cast<std::uint16_t>(frame.size());
  std::ranges::copy(frame, punt.bytes.begin());
  ASSERT_TRUE(shared->shards[shard]->mailbox.neighbours.try_push(punt));
}

void ControlTest::hear(SessionId session, std::size_t shard) {
  shared->shards[shard]->last_seen[session.index()].store(static_cast<std::uint32_t>(shard_now_ns / kNsPerMs));
}

void ControlTest::run(std::uint64_t ms) {
  for (std::uint64_t i = 0; i < ms; ++i) {
    now_ns += kNsPerMs;
    shard_now_ns += kNsPerMs;
    for (std::size_t shard = 0; shard < paused.size(); ++shard)
      if (!paused[shard]) shared->shards[shard]->loop_ns.store(shard_now_ns);
    poll();
  }
}

std::vector<state::Command> ControlTest::take_commands(std::size_t shard) {
  std::vector<state::Command> commands;
  state::Command command;
  while (shared->shards[shard]->mailbox.to_shard.pop({&command, 1}) == 1)
    (is_spoken(command) ? spoken_ : commands).push_back(command);
  return commands;
}

std::vector<state::Command> ControlTest::take_spoken() {
  // What is no such frame goes to nobody: a test that looks for both takes its commands first.
  for (std::size_t i = 0; i < shared->shards.size(); ++i) take_commands(i);
  return std::exchange(spoken_, {});
}

std::vector<SentFrame> ControlTest::take_frames(std::size_t shard) {
  std::vector<SentFrame> frames;
  for (const auto& command : take_commands(shard)) {
    EXPECT_EQ(command.kind, state::CommandKind::kTransmit);
    if (command.kind == state::CommandKind::kTransmit) frames.push_back(read_frame(command));
  }
  return frames;
}

SessionId ControlTest::join(const HelloSpec& spec, std::size_t shard) {
  punt_hello(spec, shard);
  poll();
  SessionId id;
  for (std::size_t i = 0; i < shared->shards.size(); ++i)
    for (const auto& command : take_commands(i))
      if (command.kind == state::CommandKind::kInstallSession) id = command.record.id;
  return id;
}

SessionId ControlTest::join_worker(const HelloSpec& spec) {
  const SessionId id = join(spec);
  for (std::size_t i = 0; i < shared->shards.size(); ++i) hear(id, i);
  run(12);  // a sweep, then a publication
  return id;
}

void ControlTest::obey(std::size_t shard) {
  for (const state::Command& command : take_commands(shard)) {
    if (command.kind == state::CommandKind::kRefreshWorker) shared->workers.refresh(command.record.worker);
    if (command.kind == state::CommandKind::kSetGate) shared->workers.set_gate(command.record.worker, command.gate);
  }
}

void ControlTest::step_ms(std::uint64_t ms) {
  run(ms);
  obey();
}

std::uint32_t ControlTest::admitted(WorkerId worker) {
  std::uint32_t count = 0;
  for (; count < 100 && shared->workers.try_acquire(worker); ++count) {
  }
  for (std::uint32_t i = 0; i < count; ++i) shared->workers.release(worker);
  return count;
}

void ControlTest::discard_commands() {
  for (std::size_t i = 0; i < shared->shards.size(); ++i) take_commands(i);
  spoken_.clear();
}

state::SessionRecord ControlTest::installed(const HelloSpec& spec, std::size_t shard) {
  punt_hello(spec, shard);
  poll();
  for (const auto& command : take_commands(shard))
    if (command.kind == state::CommandKind::kInstallSession) return command.record;
  ADD_FAILURE() << "nothing was installed";
  return {};
}

bool ControlTest::lives(SessionId id) const {
  const Session& session = control->registry().at(id.index());
  return session.id == id && session.phase != Phase::kEnding && session.phase != Phase::kFree;
}

std::vector<WorkerId> ControlTest::workers_for(std::string_view action, std::string_view model,
                                               std::vector<std::string_view> tags) const {
  state::RouteSnapshot::PoolList pools;
  const std::size_t count = routes().resolve(action, model, tags, pools);
  std::vector<WorkerId> workers;
  for (std::size_t i = 0; i < count; ++i)
    for (std::uint32_t id = 0; id < shared->workers.capacity(); ++id) {
      const state::WorkerLine& line = shared->workers[WorkerId{id}];
      if (line.leaf != nullptr && line.leaf->index == routes().pool(pools[i]).load.get() &&
          line.limit(line.owner()) > 0)
        workers.push_back(WorkerId{id});
    }
  return workers;
}

}  // namespace mcplane::control
