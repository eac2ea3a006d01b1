// SEND -> ROUTE -> RESULT -> DELIVER over every pair of families and tags, field by field as the specification's table.
#include <tuple>

#include "unit/dataplane/dataplane_test.h"
#include "wire/payload.h"

namespace mcplane::dataplane {
namespace {

struct Path {
  Family client, worker;
  std::uint16_t client_vlan, worker_vlan;
};

class MainPath : public PairTest, public ::testing::WithParamInterface<Path> {
 protected:
  void start_path(std::uint16_t slots) {
    options.ports = 2;
    const Path& path = GetParam();
    start(slots, {.family = path.client, .vlan = path.client_vlan},
          {.family = path.worker, .vlan = path.worker_vlan, .port = PortId{1}});
  }
  void expect_to(const Sent& frame, const Peer& peer) {
    EXPECT_EQ(frame.to(), peer.address);
    EXPECT_EQ(frame.mac, peer.mac);
    EXPECT_EQ(frame.port, peer.spec.port);
    EXPECT_EQ(frame.parsed.lower.vlan, peer.spec.vlan);
    EXPECT_EQ(frame.parsed.lower.source, testing::our_endpoint(peer.spec.family));
  }
};

void fill_ids(wire::Header& header) {
  for (std::uint8_t i = 0; i < 16; ++i) {
    header.mutable_task_id()->Mutate(i, static_cast<std::uint8_t>(i + 1));
    header.mutable_trace_id()->Mutate(i, static_cast<std::uint8_t>(0xa0 + i));
    if (i < 8) header.mutable_parent_span()->Mutate(i, static_cast<std::uint8_t>(0xb0 + i));
  }
}

Bytes copy(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

template <class Array>
std::vector<unsigned> copy(const Array* ids) {
  return {ids->begin(), ids->end()};
}

TEST_P(MainPath, RewritesExactlyTheFieldsTheTableNames) {
  start_path(4);
  rig().advance_ms(50);
  slot_of(*client, 7).sequence = 2;
  FrameSpec spec = rig().send_spec(*client, 7, 3, 900);
  constexpr auto flags = wire::with_priority(0x0110, 2);  // IDEMPOTENT, SAMPLED
  spec.edit = [inner = spec.edit](wire::Header& header) {
    inner(header);
    header.mutate_flags(flags);
    fill_ids(header);
  };
  const Bytes send = testing::build_frame(spec);
  const Parsed sent = testing::parse(send);
  rig().loop_ns = 7'000;
  const Sent route = only(exchange(spec), FrameType::Route);
  expect_to(route, *worker);
  const wire::Header& r = route.header();
  EXPECT_EQ(r.flags(), flags);
  EXPECT_EQ(r.reason(), Reason::Ok);
  EXPECT_EQ(r.executed(), Executed::NotSaid);
  EXPECT_EQ(r.attempt(), 1);
  EXPECT_EQ(r.session(), client->session.value);
  EXPECT_EQ(r.worker_session(), worker->session.value);
  EXPECT_NE(r.token_generation(), 0U);
  EXPECT_EQ(r.sequence(), 0U);
  EXPECT_EQ(r.slot(), 0);
  EXPECT_EQ(r.ttl_ms(), 900U);
  EXPECT_EQ(wire::route_number(r), 1U);
  EXPECT_EQ(r.broker_us(), 0);
  EXPECT_EQ(copy(r.task_id()), copy(sent.header().task_id()));
  EXPECT_EQ(copy(r.trace_id()), copy(sent.header().trace_id()));
  EXPECT_EQ(copy(r.parent_span()), copy(sent.header().parent_span()));
  EXPECT_EQ(copy(route.parsed.table()), copy(sent.table()));
  EXPECT_EQ(copy(route.parsed.payload()), copy(sent.payload()));
  EXPECT_EQ(rig().outstanding(*worker), 1U);
  EXPECT_EQ(slot_of(*client, 7).state, ClientSlot::State::kBusy);

  rig().advance_ms(20);
  rig().loop_ns = 9'000;
  const FrameSpec result = rig().result_spec(*worker, r, "the answer");
  rig().send(result, PortId{1});
  const Sent deliver = only(step(), FrameType::Deliver);
  expect_to(deliver, *client);
  const wire::Header& d = deliver.header();
  EXPECT_EQ(d.flags(), raw(wire::Flag::Sampled));
  EXPECT_EQ(d.reason(), Reason::Ok);
  EXPECT_EQ(d.executed(), Executed::Yes);
  EXPECT_EQ(d.attempt(), 1);
  EXPECT_EQ(d.session(), client->session.value);
  EXPECT_EQ(d.worker_session(), worker->session.value);
  EXPECT_TRUE(wire::token_of(d) == wire::token_of(r));
  EXPECT_EQ(d.sequence(), 3U);
  EXPECT_EQ(d.slot(), 7);
  EXPECT_EQ(d.table_length(), 0);
  EXPECT_EQ(d.ttl_ms(), 0U);
  EXPECT_EQ(d.queued_us(), 0U);
  EXPECT_EQ(d.worker_us(), 1234U);
  EXPECT_EQ(d.broker_us(), 7 + 9);
  EXPECT_EQ(copy(d.task_id()), copy(sent.header().task_id()));
  EXPECT_EQ(copy(deliver.parsed.payload()), result.payload);
  EXPECT_EQ(rig().outstanding(*worker), 0U);
  EXPECT_EQ(slot_of(*client, 7).state, ClientSlot::State::kBusy) << "until its client knows";
  EXPECT_EQ(rig().in_state(TaskState::kDelivering), 1U);
  EXPECT_EQ(rig().counters().forwarded.read(), 2U);
}

TEST_P(MainPath, PayloadsOfAnyLengthKeepTheirBytesAndGetARightChecksum) {
  start_path(64);
  std::uint32_t sequence = 0;
  for (std::size_t length = 0; length < 70; ++length) {
    FrameSpec spec = rig().send_spec(*client, 0, ++sequence);
    spec.payload.resize(length);
    for (std::size_t i = 0; i < length; ++i) spec.payload[i] = static_cast<std::byte>(i * 37 + length);
    Bytes frame = testing::build_frame(spec);
    const auto lower = testing::parse(frame).lower;
    if (length % 3 == 0 && client->spec.family == Family::kIpv4)  // the sender made none
      frame[lower.udp_offset + std::size_t{6}] = frame[lower.udp_offset + std::size_t{7}] = std::byte{0};
    net::Packet packet;
    ASSERT_TRUE(rig().nic().allocate({&packet, 1}));
    std::ranges::copy(frame, packet.data());
    packet.set_length(static_cast<std::uint16_t>(frame.size()));
    if (length % 3 == 1) packet.set_checksum_good();  // the NIC verified it
    rig().nic().inject(std::move(packet));
    const Sent route = only(step(), FrameType::Route);
    EXPECT_EQ(copy(route.parsed.payload()), spec.payload);

    FrameSpec result = rig().result_spec(*worker, route.header());
    result.payload = spec.payload;
    rig().send(result, PortId{1});
    EXPECT_EQ(copy(only(step(), FrameType::Deliver).parsed.payload()), spec.payload);
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, MainPath,
                         ::testing::Values(Path{Family::kIpv4, Family::kIpv4, wire::kNoVlan, wire::kNoVlan},
                                           Path{Family::kIpv4, Family::kIpv4, 12, 12},
                                           Path{Family::kIpv6, Family::kIpv6, wire::kNoVlan, wire::kNoVlan},
                                           Path{Family::kIpv6, Family::kIpv6, 12, 34},
                                           Path{Family::kIpv4, Family::kIpv6, wire::kNoVlan, 34},
                                           Path{Family::kIpv6, Family::kIpv4, 34, wire::kNoVlan}));

class MainPathTimes : public PairTest {};

TEST_F(MainPathTimes, DeliverSaysHowLongTheTaskWaited) {
  start(1);
  const Sent first = route(0);
  EXPECT_TRUE(submit(1).empty());
  rig().advance_ms(3);
  rig().loop_ns = 11'000;
  const auto freed = finish(first);
  ASSERT_EQ(count(freed, FrameType::Route), 1U);
  const Sent& second = freed[0].type() == FrameType::Route ? freed[0] : freed[1];
  EXPECT_EQ(wire::route_number(second.header()), 2U);
  rig().loop_ns = 2'000;
  const Sent deliver = only(finish(second), FrameType::Deliver);
  EXPECT_EQ(deliver.header().queued_us(), 3'000U);
  EXPECT_EQ(deliver.header().broker_us(), 11 + 2);
}

TEST_F(MainPathTimes, BrokerTimeSaturates) {
  start(1);
  rig().loop_ns = 60'000 * kNsPerUs;
  const Sent routed = route(0);
  EXPECT_EQ(only(finish(routed), FrameType::Deliver).header().broker_us(), 65'535);
}

TEST_F(MainPathTimes, WorkerErrorsAreDelivered) {
  start(1);
  FrameSpec result = rig().result_spec(*worker, route(0).header());
  result.edit = [inner = result.edit](wire::Header& header) {
    inner(header);
    header.mutate_reason(Reason::WorkerError);
  };
  EXPECT_EQ(only(exchange(result), FrameType::Deliver).header().reason(), Reason::WorkerError);
}

TEST_F(MainPathTimes, TheClientIsTakenFromTheRecordNotFromTheResult) {
  start(1);
  FrameSpec result = rig().result_spec(*worker, route(5).header());
  result.edit = [inner = result.edit](wire::Header& header) {
    inner(header);
    header.mutate_session(0x00fffff1);
    header.mutate_slot(77);
    header.mutate_executed(Executed::No);
  };
  const Sent deliver = only(exchange(result), FrameType::Deliver);
  EXPECT_EQ(deliver.to(), client->address);
  EXPECT_EQ(deliver.header().session(), client->session.value);
  EXPECT_EQ(deliver.header().slot(), 5);
  EXPECT_EQ(deliver.header().sequence(), 1U);
  EXPECT_EQ(deliver.header().executed(), Executed::Yes);
}

}  // namespace
}  // namespace mcplane::dataplane
