// What a shard answers itself, what it hands to control, and what it tells strangers.
#include "dataplane/quiet.h"
#include "unit/dataplane/dataplane_test.h"
#include "wire/registration.h"

namespace mcplane::dataplane {
namespace {

class Endpoints : public PairTest {
 protected:
  FrameSpec hello_from(const wire::Endpoint& source) {
    FrameSpec hello = testing::sample_spec(FrameType::Hello);
    hello.source = source;
    return hello;
  }
  wire::fb::Cookie cookie_for(const wire::Endpoint& peer, std::uint32_t issued_ms) {
    return wire::make_cookie(rig().shared.options.cookie_key, peer, issued_ms);
  }
  void expect_punted_whole(const Bytes& frame) {
    rig().inject(ShardId{0}, frame);
    EXPECT_TRUE(step().empty());
    const auto punts = rig().take_punts();
    ASSERT_EQ(punts.size(), 1U);
    EXPECT_EQ(punts[0].kind, state::PuntKind::kNeighbour);
    EXPECT_TRUE(std::ranges::equal(punts[0].frame(), frame));
  }
  static constexpr FrameType kSilent[] = {FrameType::Retry,   FrameType::Ack,    FrameType::Pong,   FrameType::Route,
                                          FrameType::Deliver, FrameType::Reject, FrameType::Resend, FrameType::Event};
};

TEST_F(Endpoints, PingIsAnsweredAndNoted) {
  start(4, {.slots = 77});
  rig().advance_ms(1'234);
  FrameSpec ping = rig().spec_of(*client, FrameType::Ping);
  ping.edit = [inner = ping.edit](wire::Header& header) {
    inner(header);
    header.mutate_sequence(42);
  };
  const Sent pong = only(exchange(ping), FrameType::Pong);
  EXPECT_EQ(pong.to(), client->address);
  EXPECT_EQ(pong.header().sequence(), 42U);
  EXPECT_EQ(pong.header().slot(), 77);
  EXPECT_EQ(pong.header().session(), client->session.value);
  EXPECT_EQ(pong.header().answers(), FrameType::None);
  EXPECT_EQ(pong.parsed.datagram.size(), wire::kLeadBytes);
  const auto& seen = rig().shared.shards[0]->last_seen;
  EXPECT_EQ(seen[client->session.index()].load(), 1'234U);
  EXPECT_EQ(seen[worker->session.index()].load(), 0U);
}

TEST_F(Endpoints, PongNamesTheIntervalOfTheHour) {
  start(4);
  const auto told_ms = [&](const auto& peer) {
    return only(exchange(rig().spec_of(peer, FrameType::Ping)), FrameType::Pong).header().ttl_ms();
  };
  EXPECT_EQ(told_ms(*worker), 0U);
  rig().shared.worker_heartbeat_ms = 1'280;
  rig().shared.client_heartbeat_ms = 2'000;
  EXPECT_EQ(told_ms(*worker), 1'280U);
  EXPECT_EQ(told_ms(*client), 2'000U);
}

TEST_F(Endpoints, PongNamesTheAcknowledgementDelayOfTheHour) {
  start(4);
  const auto told_us = [&](const auto& peer) {
    return wire::pong_ack_delay_us(only(exchange(rig().spec_of(peer, FrameType::Ping)), FrameType::Pong).header());
  };
  EXPECT_EQ(told_us(*worker), 1'000U);
  rig().shared.ack_delay_us = 25'000;
  EXPECT_EQ(told_us(*worker), 25'000U);
  EXPECT_EQ(told_us(*client), 25'000U);
}

TEST_F(Endpoints, EverySoundFrameIsASignOfLife) {
  start(4);
  rig().advance_ms(500);
  const Sent routed = route(0);
  rig().advance_ms(10);
  finish(routed);
  const auto& seen = rig().shared.shards[0]->last_seen;
  EXPECT_EQ(seen[client->session.index()].load(), 500U);
  EXPECT_EQ(seen[worker->session.index()].load(), 510U);
}

TEST_F(Endpoints, LifeInTheFirstMillisecondIsNotNever) {
  start(4);
  exchange(rig().spec_of(*client, FrameType::Ping));
  EXPECT_EQ(rig().shared.shards[0]->last_seen[client->session.index()].load(), 1U);
}

TEST_F(Endpoints, ByeGoesToControl) {
  start(4);
  EXPECT_TRUE(exchange(rig().spec_of(*client, FrameType::Bye)).empty());
  const auto punts = rig().take_punts();
  ASSERT_EQ(punts.size(), 1U);
  EXPECT_EQ(punts[0].kind, state::PuntKind::kBye);
  EXPECT_TRUE(punts[0].session == client->session);
  EXPECT_EQ(punts[0].peer, client->address);
  EXPECT_EQ(rig().counters().punted.read(), 1U);
}

TEST_F(Endpoints, AStrangerIsToldOnceInNoMoreBytesThanItSent) {
  start(4);
  for (const FrameType type : testing::all_types()) {
    if (type == FrameType::Hello || type == FrameType::Retry) continue;
    for (const int fault : {0, 1, 2}) {
      FrameSpec spec = rig().spec_of(*client, type);
      spec.edit = [fault, inner = spec.edit](wire::Header& header) {
        inner(header);
        if (fault == 0) header.mutate_session(0x00300005), header.mutate_worker_session(0x00300005);
        if (fault == 1) header.mutate_boot_id(header.boot_id() + 1);
      };
      if (fault == 2) spec.source.ip.bytes[15] ^= 0x40;
      const std::size_t length = testing::build_frame(spec).size();
      const auto sent = exchange(spec);
      if (std::ranges::find(kSilent, type) != std::end(kSilent)) {
        EXPECT_TRUE(sent.empty()) << wire::fb::EnumNameFrameType(type);
        continue;
      }
      ASSERT_EQ(sent.size(), 1U) << wire::fb::EnumNameFrameType(type);
      expect_reject(sent[0], Reason::UnknownSession, Executed::NotSaid);
      EXPECT_EQ(sent[0].header().answers(), type);
      EXPECT_EQ(sent[0].to(), spec.source);
      EXPECT_LE(sent[0].bytes.size(), length);
    }
  }
  EXPECT_EQ(rig().shared.shards[0]->last_seen[client->session.index()].load(), 0U) << "no sign of the client's life";
}

TEST_F(Endpoints, BrokersFramesAreDropped) {
  start(4);
  for (const FrameType type :
       {FrameType::Pong, FrameType::Route, FrameType::Deliver, FrameType::Reject, FrameType::Resend, FrameType::Event})
    EXPECT_TRUE(exchange(rig().spec_of(*client, type)).empty()) << wire::fb::EnumNameFrameType(type);
  EXPECT_EQ(rig().dropped(DropReason::kUnsupportedType), 6U);
}

TEST_F(Endpoints, HelloWithoutACookieGetsOneAndLeavesNothing) {
  rig().advance_ms(5'000);
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    FrameSpec hello = testing::sample_spec(FrameType::Hello, family, 9);
    const Sent retry = only(exchange(hello), FrameType::Retry);
    EXPECT_EQ(retry.to(), hello.source);
    EXPECT_EQ(retry.mac, hello.source_mac);
    EXPECT_EQ(retry.parsed.lower.vlan, 9);
    EXPECT_EQ(retry.parsed.lower.source, hello.destination);
    EXPECT_EQ(retry.parsed.datagram.size(), wire::kLeadBytes + wire::kCookieBytes);
    EXPECT_EQ(retry.header().answers(), FrameType::None);
    hello.cookie = wire::cookie_of(retry.parsed.datagram);
    EXPECT_TRUE(exchange(hello).empty());
    EXPECT_EQ(rig().take_punts().size(), 1U);
  }
}

TEST_F(Endpoints, TheSmallestHelloIsNotAnsweredWithMore) {
  FrameSpec hello = hello_from(testing::peer_endpoint(Family::kIpv4, 999));
  hello.payload.clear();
  const Bytes frame = testing::build_frame(hello);
  const Sent retry = only(exchange(hello), FrameType::Retry);
  EXPECT_LE(retry.bytes.size(), frame.size());
}

TEST_F(Endpoints, HelloWithItsCookieGoesToControlWithoutPadding) {
  rig().advance_ms(20'000);
  FrameSpec hello = testing::sample_spec(FrameType::Hello, Family::kIpv6, 9);
  hello.cookie = cookie_for(hello.source, 20'000);
  EXPECT_TRUE(exchange(hello).empty());
  const auto punts = rig().take_punts();
  ASSERT_EQ(punts.size(), 1U);
  const Bytes frame = testing::build_frame(hello);
  const std::size_t kept = 66 + wire::kLeadBytes + wire::kCookieBytes + hello.table.size();
  EXPECT_EQ(punts[0].kind, state::PuntKind::kHello);
  EXPECT_EQ(punts[0].payload_offset, 66);
  EXPECT_EQ(punts[0].vlan, 9);
  EXPECT_EQ(punts[0].peer, hello.source);
  EXPECT_EQ(punts[0].local, hello.destination.ip);
  EXPECT_EQ(punts[0].local_port, hello.destination.port);
  EXPECT_TRUE(std::ranges::equal(punts[0].frame(), std::span(frame).first(kept)));
}

TEST_F(Endpoints, OldFutureAndForeignCookiesGetAnother) {
  rig().advance_ms(60'000);
  FrameSpec hello = testing::sample_spec(FrameType::Hello);
  const wire::Endpoint other = testing::peer_endpoint(Family::kIpv4, 1);
  for (const auto& cookie : {cookie_for(hello.source, 49'999), cookie_for(hello.source, 60'001),
                             cookie_for(other, 60'000), wire::fb::Cookie{}}) {
    hello.cookie = cookie;
    EXPECT_EQ(only(exchange(hello), FrameType::Retry).to(), hello.source);
  }
  hello.cookie = cookie_for(hello.source, 50'000);
  EXPECT_TRUE(exchange(hello).empty()) << "ten seconds are not too old";
  EXPECT_EQ(rig().take_punts().size(), 1U);
}

TEST_F(Endpoints, ArpEchoAndSolicitationsGoToControlWhole) {
  const auto v4 = testing::our_endpoint(Family::kIpv4).ip, v6 = testing::our_endpoint(Family::kIpv6).ip;
  expect_punted_whole(testing::build_arp_request(v4));
  expect_punted_whole(testing::build_arp_request(v4, 7));
  expect_punted_whole(testing::build_icmp_echo(Family::kIpv4, 1'400));
  expect_punted_whole(testing::build_icmp_echo(Family::kIpv6, 9, 7));
  expect_punted_whole(testing::build_neighbour_solicitation(v6));
  expect_punted_whole(testing::build_neighbour_solicitation(v6, true));
  expect_punted_whole(testing::build_arp({}));
  expect_punted_whole(testing::build_gratuitous_arp({0x02, 0, 0, 0, 9, 9}));
  expect_punted_whole(testing::build_neighbour_advertisement());
  EXPECT_EQ(rig().counters().punted.read(), 9U);
}

TEST_F(Endpoints, ANeighbourFloodLeavesRoomForHelloAndBye) {
  start(1);
  const Bytes arp = testing::build_arp_request(testing::our_endpoint(Family::kIpv4).ip);
  for (std::size_t i = 0; i < 2 * state::kMailboxSlots; ++i) {
    rig().inject(ShardId{0}, arp);
    if (i % 32 == 31) rig().step();
  }
  EXPECT_EQ(rig().dropped(DropReason::kMailboxFull), 2 * state::kMailboxSlots - state::kNeighbourSlots);
  FrameSpec hello = testing::sample_spec(FrameType::Hello);
  hello.cookie = cookie_for(hello.source, 0);
  rig().send(hello);
  rig().send(rig().spec_of(*client, FrameType::Bye));
  rig().step();
  const auto punts = rig().take_punts();
  ASSERT_EQ(punts.size(), state::kNeighbourSlots + 2);
  EXPECT_EQ(punts[state::kNeighbourSlots].kind, state::PuntKind::kHello);
  EXPECT_EQ(punts[state::kNeighbourSlots + 1].kind, state::PuntKind::kBye);
}

TEST_F(Endpoints, FramesFollowANeighbourThatMoves) {
  start(4);
  const NeighbourId neighbour{client->session.index() + 1};
  const auto answered_to = [&] { return only(exchange(rig().spec_of(*client, FrameType::Ping)), FrameType::Pong).mac; };
  EXPECT_EQ(answered_to(), client->mac);
  const wire::MacAddress moved = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};
  rig().shared.neighbours.set(neighbour, moved);
  EXPECT_EQ(answered_to(), moved);
  rig().shared.neighbours.clear(neighbour);
  EXPECT_EQ(answered_to(), client->mac) << "unknown: where its HELLO came from";
}

TEST_F(Endpoints, ControlsFramesLeaveAsTheyAre) {
  options.ports = 2;
  const Bytes frame = testing::build_icmp_echo(Family::kIpv4, 300);
  state::Command transmit{};
  transmit.kind = state::CommandKind::kTransmit;
  transmit.port = PortId{1};
  transmit.length = static_cast<std::uint16_t>(frame.size());
  std::ranges::copy(frame, transmit.bytes.begin());
  rig().command(ShardId{0}, transmit);
  rig().step();
  const auto sent = rig().take_sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].bytes, frame);
  EXPECT_EQ(sent[0].port, PortId{1});
}

TEST_F(Endpoints, WhatANicDoesNotTakeIsOfferedAgain) {
  options.tx_capacity = 3;
  start(4);
  for (std::uint32_t i = 0; i < 10; ++i)
    rig().send(
        edited(rig().spec_of(*client, FrameType::Ping), [i](wire::Header& header) { header.mutate_sequence(i); }));
  std::vector<std::uint32_t> numbers;
  for (const std::size_t sent : {3U, 3U, 3U, 1U}) {
    EXPECT_EQ(quiet_ms(rig().shard(), 100) > 0, numbers.empty());
    const auto pongs = step();
    ASSERT_EQ(pongs.size(), sent);
    for (const Sent& pong : pongs) numbers.push_back(pong.header().sequence());
  }
  EXPECT_EQ(numbers, (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(rig().counters().sent_dropped.read(), 0U);
}

TEST_F(Endpoints, OfWhatANicDoesNotTakeFewAreKeptAndNotForLong) {
  options.tx_capacity = 3;
  options.burst = 64;
  start(4);
  for (int loop = 0; loop < 2; ++loop) {
    for (int i = 0; i < 40; ++i) rig().send(rig().spec_of(*client, FrameType::Ping));
    rig().step();
  }
  EXPECT_EQ(rig().counters().sent.read(), 3U);
  EXPECT_EQ(rig().counters().sent_dropped.read(), 80 - 3 - kKeptPerPort) << "counted, and its buffer returned";
  rig().advance_ms(3);
  rig().step();
  EXPECT_EQ(rig().counters().sent_dropped.read(), 80U - 3);
  rig().send(rig().spec_of(*client, FrameType::Ping));
  rig().step();
  EXPECT_EQ(rig().counters().sent_dropped.read(), 80U - 2) << "nothing was taken meanwhile";
}

}  // namespace
}  // namespace mcplane::dataplane
