// HELLO: what is installed, what is answered, and in which order.
#include <algorithm>

#include "control_fixture.h"
#include "wire/checksum.h"

namespace mcplane::control {
namespace {

using state::CommandKind;
using testing::Family;
using wire::FrameType;
using wire::Reason;

TEST_F(ControlTest, ClientIsInstalledBeforeItsAckLeaves) {
  start();
  HelloSpec hello = client_hello();
  punt_hello(hello);
  poll();
  const auto commands = take_commands();
  ASSERT_EQ(commands.size(), 2U);
  ASSERT_EQ(commands[0].kind, CommandKind::kInstallSession);
  ASSERT_EQ(commands[1].kind, CommandKind::kTransmit);

  const state::SessionRecord& record = commands[0].record;
  EXPECT_NE(record.id.generation(), 0U);
  EXPECT_EQ(record.service, wire::Service::kClient);
  EXPECT_EQ(record.slot_limit, 64);
  EXPECT_EQ(record.client_slot_base, 0U);
  EXPECT_EQ(record.worker, kNoWorker);
  EXPECT_EQ(record.peer, hello.peer);

  const SentFrame ack = read_frame(commands[1]);
  EXPECT_EQ(ack.header.type(), FrameType::Ack);
  EXPECT_EQ(ack.header.answers(), FrameType::Hello);
  EXPECT_EQ(ack.header.sequence(), hello.number);
  EXPECT_EQ(ack.header.session(), record.id.value);
  EXPECT_EQ(wire::task_id_of(ack.header), hello.body.instance);
  EXPECT_EQ(ack.header.worker_session(), 0U);
  EXPECT_EQ(ack.header.boot_id(), kBootId);
  EXPECT_EQ(ack.lower.source, hello.local);
  EXPECT_EQ(ack.lower.destination, hello.peer.ip);
  EXPECT_EQ(ack.lower.destination_port, hello.peer.port);
  EXPECT_EQ(ack.welcome.port(), testing::kOurPort);
  EXPECT_EQ(ack.welcome.base_port(), testing::kOurPort);
  EXPECT_EQ(ack.welcome.shards(), 1);
  EXPECT_EQ(ack.welcome.slot_limit(), 64);
  EXPECT_EQ(ack.welcome.heartbeat_interval_ms(), 1'000U);
  EXPECT_EQ(ack.welcome.max_ack_delay_us(), 1'000U);
}

TEST_F(ControlTest, WorkerIsInstalledOnEveryShardWithThatShardsPort) {
  start(3);
  HelloSpec hello = worker_hello();
  hello.local.port = testing::kOurPort + 1;
  punt_hello(hello, 1);
  poll();
  SessionId id;
  for (std::uint16_t shard = 0; shard < 3; ++shard) {
    const auto commands = take_commands(shard);
    ASSERT_EQ(commands.size(), shard == 1 ? 2U : 1U) << shard;
    ASSERT_EQ(commands[0].kind, CommandKind::kInstallSession);
    const state::SessionRecord& record = commands[0].record;
    EXPECT_EQ(record.worker, WorkerId{0});
    EXPECT_EQ(record.slot_limit, 0);
    id = record.id;

    state::Command probe{};
    probe.length = static_cast<std::uint16_t>(record.lower.length + wire::kLeadBytes);
    const auto datagram = std::span(probe.bytes).subspan(record.lower.length, wire::kLeadBytes);
    wire::begin_datagram(datagram, FrameType::Ping).mutate_session(id.value);
    wire::write_lower_headers(record.lower, probe.bytes.data(), wire::kLeadBytes, wire::sum_bytes(datagram));
    EXPECT_EQ(read_frame(probe).lower.source,
              (wire::Endpoint{hello.local.ip, static_cast<std::uint16_t>(testing::kOurPort + shard)}));
    if (shard != 1) continue;
    const SentFrame ack = read_frame(commands[1]);
    EXPECT_EQ(ack.lower.source, hello.local);
    EXPECT_EQ(ack.header.worker_session(), record.id.value);
    EXPECT_EQ(ack.welcome.port(), testing::kOurPort + 1);
    EXPECT_EQ(ack.welcome.shards(), 3);
    EXPECT_EQ(ack.welcome.heartbeat_interval_ms(), 100U);
    EXPECT_EQ(ack.welcome.slot_limit(), 0);
  }
  const state::WorkerLine& line = shared->workers[WorkerId{0}];
  EXPECT_EQ(line.session.load(), id.value);
  EXPECT_EQ(line.bound.load(), 3U);
  EXPECT_EQ(line.admits.load(), 1U);
  EXPECT_EQ(line.outstanding(), 0U);
}

TEST_F(ControlTest, BothIsClientOfOneShardAndWorkerOfAll) {
  start(2);
  const SessionId first = join(client_hello(1'000));
  HelloSpec hello = worker_hello(1'001);
  hello.body.service = wire::Service::kBoth;
  punt_hello(hello);
  poll();
  const auto other = take_commands(0), owner = take_commands(1);
  ASSERT_TRUE(first);
  ASSERT_EQ(other.size(), 1U);
  ASSERT_EQ(owner.size(), 2U);  // shard 0 has a client already
  EXPECT_EQ(other[0].record.slot_limit, 0);
  EXPECT_EQ(owner[0].record.slot_limit, 64);
  EXPECT_EQ(owner[0].record.client_slot_base, 64U);
  EXPECT_EQ(owner[0].record.worker, other[0].record.worker);
  EXPECT_EQ(read_frame(owner[1]).welcome.port(), testing::kOurPort + 1);
}

TEST_F(ControlTest, ClientsSpreadOverShards) {
  start(2);
  std::array<int, 2> installed{};
  for (std::uint16_t i = 0; i < 6; ++i) punt_hello(client_hello(static_cast<std::uint16_t>(1'000 + i)));
  poll();
  for (std::size_t shard = 0; shard < 2; ++shard)
    for (const auto& command : take_commands(shard))
      installed[shard] += command.kind == CommandKind::kInstallSession ? 1 : 0;
  EXPECT_EQ(installed[0], 3);
  EXPECT_EQ(installed[1], 3);
}

TEST_F(ControlTest, AnswersOverIpv6AndVlan) {
  start();
  HelloSpec hello = client_hello();
  hello.peer = testing::peer_endpoint(Family::kIpv6);
  hello.local = testing::our_endpoint(Family::kIpv6);
  hello.vlan = 7;
  punt_hello(hello);
  poll();
  const auto commands = take_commands();
  ASSERT_EQ(commands.size(), 2U);
  const SentFrame ack = read_frame(commands[1]);
  EXPECT_EQ(ack.lower.source, hello.local);
  EXPECT_EQ(ack.lower.vlan, 7);
}

TEST_F(ControlTest, FrameBytesLeaveRoomForTheLongerHeaderOnlyWhereBothFamiliesMeet) {
  wire::LocalAddresses ipv4_only = testing::our_addresses();
  ipv4_only.ips[0] = {testing::our_endpoint(Family::kIpv4).ip, 24};
  ipv4_only.count = 1;
  const auto granted = [this](const wire::LocalAddresses& ours, Family family) {
    start();
    control = std::make_unique<Control>(*shared, options, std::vector{ours}, Random(7));
    HelloSpec hello = client_hello();
    hello.peer = testing::peer_endpoint(family);
    hello.local = testing::our_endpoint(family);
    punt_hello(hello);
    poll();
    const auto commands = take_commands();
    return commands.empty() ? 0 : int{read_frame(commands.back()).welcome.frame_bytes()};
  };
  EXPECT_EQ(granted(ipv4_only, Family::kIpv4), 1'500);
  EXPECT_EQ(granted(testing::our_addresses(), Family::kIpv4), 1'480);
  EXPECT_EQ(granted(testing::our_addresses(), Family::kIpv6), 1'500);
}

TEST_F(ControlTest, SameInstanceGetsItsAckAgain) {
  start();
  const SessionId id = join(client_hello());
  punt_hello(client_hello());
  poll();
  const auto frames = take_frames();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].header.session(), id.value);
  EXPECT_EQ(frames[0].welcome.slot_limit(), 64);
  EXPECT_EQ(control->registry().live().size(), 1U);
}

TEST_F(ControlTest, NewInstanceWithNewerCookieReplacesTheOldSession) {
  start();
  HelloSpec hello = client_hello();
  hello.cookie_ms = 0xfffffff0U;
  const SessionId old = join(hello);
  hello.body.instance[0] = 2;
  hello.cookie_ms = 0x10;  // newer: the clock wrapped
  punt_hello(hello);
  poll();
  const auto commands = take_commands();
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[0].kind, CommandKind::kEndSession);
  EXPECT_EQ(commands[0].record.id, old);
  EXPECT_EQ(commands[1].kind, CommandKind::kInstallSession);
  EXPECT_NE(commands[1].record.id.index(), old.index());
  EXPECT_EQ(read_frame(commands[2]).header.session(), commands[1].record.id.value);
}

TEST_F(ControlTest, NewInstanceWithOlderOrEqualCookieIsDropped) {
  start();
  HelloSpec hello = client_hello();
  const SessionId id = join(hello);
  hello.body.instance[0] = 2;
  for (const std::uint32_t cookie_ms : {hello.cookie_ms, hello.cookie_ms - 1}) {
    hello.cookie_ms = cookie_ms;
    punt_hello(hello);
  }
  poll();
  EXPECT_TRUE(take_commands().empty());
  EXPECT_EQ(control->registry().live().size(), 1U);
  EXPECT_EQ(control->registry().at(id.index()).id, id);
}

// A repeated HELLO moves the session's cookie on, so what is older than it stays a late duplicate.
TEST_F(ControlTest, RepeatedHelloRenewsTheCookie) {
  start();
  HelloSpec hello = client_hello();
  join(hello);
  hello.cookie_ms += 500;
  punt_hello(hello);
  poll();
  take_commands();
  hello.body.instance[0] = 2;
  hello.cookie_ms -= 100;
  punt_hello(hello);
  poll();
  EXPECT_TRUE(take_commands().empty());
}

TEST_F(ControlTest, SameInstanceElsewhereIsAnotherSession) {
  start();
  const SessionId first = join(client_hello(1'000)), second = join(client_hello(1'001));
  EXPECT_NE(first, second);
  EXPECT_EQ(control->registry().live().size(), 2U);
}

TEST_F(ControlTest, RefusesWhatIsNoHello) {
  start();
  HelloSpec hello = client_hello();
  punt_hello(hello);
  state::Punt punt;
  auto& ring = shared->shards[0]->mailbox.to_control;
  ASSERT_EQ(ring.pop({&punt, 1}), 1U);
  // The table's root offset, beyond the table.
  const std::size_t table = punt.payload_offset + wire::kLeadBytes + wire::kCookieBytes;
  punt.bytes[table] = std::byte{0xff};
  ASSERT_TRUE(ring.try_push(punt));
  poll();
  const auto frames = take_frames();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].header.type(), FrameType::Reject);
  EXPECT_EQ(frames[0].header.answers(), FrameType::Hello);
  EXPECT_EQ(frames[0].header.sequence(), hello.number);
  EXPECT_EQ(frames[0].header.reason(), Reason::Malformed);
  EXPECT_EQ(frames[0].header.session(), 0U);
  EXPECT_EQ(frames[0].lower.source, hello.local);
  EXPECT_TRUE(control->registry().live().empty());
}

// write_hello refuses to make such a table, so slots and action are taken out of a sound one.
TEST_F(ControlTest, RefusesWorkerThatOffersNothing) {
  start();
  HelloSpec hello = client_hello();  // no slots, no actions
  punt_hello(hello);
  state::Punt punt;
  auto& ring = shared->shards[0]->mailbox.to_control;
  ASSERT_EQ(ring.pop({&punt, 1}), 1U);
  const auto table = std::span(punt.bytes).subspan(punt.payload_offset + wire::kLeadBytes + wire::kCookieBytes);
  const auto sound =
      wire::read_hello(table.first(punt.length - static_cast<std::size_t>(table.data() - punt.bytes.data())));
  ASSERT_TRUE(sound);
  // The service byte is the only byte whose change turns this client into a worker.
  bool refused = false;
  for (std::size_t i = 0; i < 64 && !refused; ++i) {
    state::Punt edited = punt;
    auto& byte = edited.bytes[static_cast<std::size_t>(table.data() - punt.bytes.data()) + i];
    if (byte != std::byte{1}) continue;
    byte = std::byte{2};
    ASSERT_TRUE(ring.try_push(edited));
    poll();
    for (const auto& command : take_commands())
      refused = refused ||
                (command.kind == CommandKind::kTransmit && read_frame(command).header.reason() == Reason::Malformed);
  }
  EXPECT_TRUE(refused);
  EXPECT_EQ(control->registry().workers(), 0U);
}

TEST_F(ControlTest, IgnoresPuntsThatCannotBeRead) {
  start();
  punt_hello(client_hello());
  state::Punt punt;
  auto& ring = shared->shards[0]->mailbox.to_control;
  ASSERT_EQ(ring.pop({&punt, 1}), 1U);
  for (const auto edit : {+[](state::Punt& p) { p.payload_offset = 2'000; },
                          +[](state::Punt& p) { p.payload_offset += 1; }, +[](state::Punt& p) { p.length = 60; },
                          +[](state::Punt& p) { p.port = PortId{9}; }, +[](state::Punt& p) { p.length = 60'000; }}) {
    state::Punt edited = punt;
    edit(edited);
    ASSERT_TRUE(ring.try_push(edited));
  }
  poll();
  EXPECT_TRUE(take_commands().empty());
  EXPECT_TRUE(control->registry().live().empty());
}

struct FullTable {
  const char* what;
  std::uint32_t sessions, clients, workers;
  bool worker;
};

class FullTables : public ControlTest, public ::testing::WithParamInterface<FullTable> {};

TEST_P(FullTables, AreRefusedWithARetryTime) {
  options.max_sessions = GetParam().sessions;
  options.max_clients = GetParam().clients;
  options.retry_after_ms = 777;
  shared_options.workers = GetParam().workers;
  start();
  const auto hello =
      GetParam().worker ? worker_hello : [](std::uint16_t port, std::uint8_t instance, std::vector<std::string>) {
        return client_hello(port, instance);
      };
  ASSERT_TRUE(join(hello(1'000, 1, {"generate"})));
  punt_hello(hello(1'001, 1, {"generate"}));
  poll();
  const auto frames = take_frames();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].header.type(), FrameType::Reject);
  EXPECT_EQ(frames[0].header.reason(), Reason::TableFull);
  EXPECT_EQ(frames[0].header.ttl_ms(), 777U);
  EXPECT_EQ(frames[0].header.boot_id(), kBootId);
  EXPECT_EQ(control->registry().live().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Each, FullTables,
                         ::testing::Values(FullTable{"sessions", 1, 8, 4, false}, FullTable{"clients", 8, 1, 4, false},
                                           FullTable{"workers", 8, 8, 1, true}),
                         [](const auto& tested) { return tested.param.what; });

TEST_F(ControlTest, DrainRefusesNewSessionsAndTellsEveryShard) {
  start(2);
  const SessionId id = join(client_hello());
  control->drain();
  control->drain();
  poll();
  for (std::size_t shard = 0; shard < 2; ++shard) {
    const auto commands = take_commands(shard);
    ASSERT_EQ(commands.size(), 1U);
    EXPECT_EQ(commands[0].kind, CommandKind::kDrain);
  }
  punt_hello(client_hello(1'001));
  punt_hello(client_hello());
  poll();
  const auto frames = take_frames();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].header.reason(), Reason::Draining);
  EXPECT_EQ(frames[1].header.session(), id.value);  // a known session still gets its ACK
}

TEST_F(ControlTest, ResumeTakesADrainBack) {
  start(1);
  control->drain();
  control->resume();
  control->resume();
  poll();
  const auto commands = take_commands(0);
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[1].kind, CommandKind::kResume);
  EXPECT_FALSE(control->draining());
  join(client_hello());
  EXPECT_EQ(control->registry().clients(), 1U);
}

}  // namespace
}  // namespace mcplane::control
