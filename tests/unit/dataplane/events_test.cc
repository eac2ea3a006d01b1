// Receive PUBLISH, expect EVENTs: who gets one, from where, with which number, and what a full line loses.
#include <set>

#include "dataplane/quiet.h"
#include "dataplane_test.h"
#include "wire/topic.h"

namespace mcplane::dataplane {
namespace {

class EventsTest : public DataplaneTest {
 protected:
  Peer& subscriber(std::string topic, std::string group = "", PeerSpec spec = {}) {
    spec.slots = kSlots;
    Peer& peer = rig().add_client(spec);
    subscribe(peer, 1, std::move(topic), std::move(group));
    return peer;
  }
  void subscribe(const Peer& peer, std::uint32_t number, std::string topic, std::string group = "") {
    rig().subscriptions[{peer.session.index(), number}] = {std::move(topic), std::move(group)};
  }
  // Sessions are installed, and subscriptions known.
  void ready() {
    publisher = &rig().add_client({.slots = kSlots});
    rig().publish_topics();
    rig().settle();
    EXPECT_TRUE(rig().take_sent().empty());
  }
  std::vector<Sent> publish(std::string_view topic, std::string_view payload = "news") {
    rig().send(rig().publish_spec(*publisher, topic, payload));
    return run_out();
  }
  // That a PUBLISH's EVENTs are in when they are sent; each is sound and says the same.
  std::size_t buffers_that_leave() {
    const auto at_hand = [this] { return rig().nic().buffers_free() + rig().shard().spares.items().size(); };
    const std::size_t before = at_hand();
    rig().send(rig().publish_spec(*publisher, "a", "some news"));
    rig().step();
    const std::size_t left = before - at_hand();
    const auto events = rig().take_sent();
    for (const Sent& event : events) {
      expect_sound(event);
      EXPECT_TRUE(std::ranges::equal(event.parsed.payload(), testing::to_bytes("some news")));
    }
    return left;
  }
  const state::EventCounts& counts_of(const Peer& peer, std::uint32_t shard = 0) {
    return rig().shared.shards[shard]->events[peer.session.index()];
  }

  static constexpr std::uint16_t kSlots = 4;  // nobody sends tasks

  Peer* publisher = nullptr;
};

TEST_F(EventsTest, APublishBecomesAnEvent) {
  Peer& peer = subscriber("jobs.*");
  ready();
  const Sent event = only(publish("jobs.done", "all of it"), FrameType::Event);
  EXPECT_EQ(event.to(), peer.address);
  EXPECT_EQ(event.mac, peer.mac);
  const wire::Header& header = event.header();
  EXPECT_EQ(header.session(), peer.session.value);
  EXPECT_EQ(header.token_index(), 1U);
  EXPECT_EQ(header.sequence(), 1U);
  EXPECT_EQ(header.slot(), 0);
  EXPECT_EQ(header.worker_session(), 0U);
  EXPECT_EQ(header.attempt(), 0);
  EXPECT_EQ(header.ttl_ms(), 0U);
  EXPECT_EQ(wire::read_publication(event.parsed.table())->tokens[1], "done");
  EXPECT_TRUE(std::ranges::equal(event.parsed.payload(), testing::to_bytes("all of it")));
  EXPECT_EQ(only(publish("jobs.done"), FrameType::Event).header().sequence(), 2U);
  EXPECT_EQ(counts_of(peer).sent.load(), 2U);
  EXPECT_EQ(rig().counters().published.read(), 2U);
}

TEST_F(EventsTest, WhatThePublisherLeftInItsHeaderStaysBehind) {
  subscriber("a");
  ready();
  rig().send(edited(rig().publish_spec(*publisher, "a"), [](wire::Header& header) {
    header.mutate_flags(raw(wire::Flag::Sampled) | raw(wire::Flag::Retry) | raw(wire::Flag::Idempotent));
    header.mutate_reason(Reason::Draining);
    header.mutate_executed(Executed::Yes);
    header.mutate_attempt(9);
    header.mutate_worker_session(77);
    wire::set_token(header, {5, 6});
    header.mutate_fragment_index(3);
    header.mutate_broker_us(4);
    header.mutate_ttl_ms(1'000);
    wire::set_slots(header, 8, 9);
    header.mutable_trace_id()->Mutate(0, 0xaa);
  }));
  const Sent event = only(run_out(), FrameType::Event);
  const wire::Header& header = event.header();
  EXPECT_EQ(header.flags(), raw(wire::Flag::Sampled));
  EXPECT_EQ(header.reason(), Reason::Ok);
  EXPECT_EQ(header.executed(), Executed::NotSaid);
  EXPECT_EQ(header.attempt(), 0);
  EXPECT_EQ(header.worker_session(), 0U);
  EXPECT_EQ(header.token_generation(), 0U);
  EXPECT_EQ(header.fragment_index(), 0);
  EXPECT_EQ(header.broker_us(), 0);
  EXPECT_EQ(header.ttl_ms(), 0U);
  EXPECT_EQ(header.queued_us(), 0U);
  EXPECT_EQ(header.worker_us(), 0U);
  EXPECT_EQ(header.trace_id()->Get(0), 0xaa);
}

TEST_F(EventsTest, EachSubscriptionThatMatchesGetsOne) {
  Peer& peer = subscriber("a.b");
  subscribe(peer, 2, "a.*");
  subscribe(peer, 3, "b.*");
  Peer& other = subscriber(">");
  ready();
  std::multiset<std::pair<std::uint32_t, std::uint32_t>> got;
  for (const Sent& event : publish("a.b")) got.emplace(event.header().session(), event.header().token_index());
  EXPECT_EQ(got, (decltype(got){{peer.session.value, 1}, {peer.session.value, 2}, {other.session.value, 1}}));
}

TEST_F(EventsTest, NobodyWhoDoesNotMatchGetsIt) {
  subscriber("a.b");
  ready();
  EXPECT_TRUE(publish("a.c").empty());
  EXPECT_TRUE(publish("a").empty());
  EXPECT_EQ(rig().counters().completed.read(), 2U);
  rig().subscriptions.clear();
  rig().publish_topics();
  EXPECT_TRUE(publish("a.b").empty()) << "nobody subscribes";
}

TEST_F(EventsTest, APublisherMayBeItsOwnSubscriber) {
  ready();
  subscribe(*publisher, 1, "a");
  rig().publish_topics();
  EXPECT_EQ(only(publish("a"), FrameType::Event).to(), publisher->address);
}

TEST_F(EventsTest, AGroupTakesTurns) {
  std::map<std::uint32_t, int> got;
  for (int i = 0; i < 3; ++i) got[subscriber("jobs", "loggers").session.value] = 0;
  Peer& beside = subscriber("jobs");
  ready();
  for (int i = 0; i < 9; ++i)
    for (const Sent& event : publish("jobs")) ++got[event.header().session()];
  EXPECT_EQ(got[beside.session.value], 9);
  got.erase(beside.session.value);
  for (const auto& [session, count] : got) EXPECT_EQ(count, 3) << session;
}

TEST_F(EventsTest, AFanOutTakesSeveralLoops) {
  options.sessions = 1'100;
  options.buffers = 4'096;
  options.shard.client_slots = 1'100 * kSlots;
  std::set<std::uint32_t> subscribers;
  for (int i = 0; i < 1'000; ++i) subscribers.insert(subscriber("a").session.value);
  ready();
  rig().send(rig().publish_spec(*publisher, "a"));
  EXPECT_EQ(step().size(), kEventsPerLoop);
  EXPECT_EQ(quiet_ms(rig().shard(), 100), 0U) << "more is to be sent";
  std::size_t sent = kEventsPerLoop;
  for (const Sent& event : run_out()) {
    ++sent;
    EXPECT_EQ(event.header().sequence(), 1U);
    EXPECT_EQ(subscribers.erase(event.header().session()), 1U);
  }
  EXPECT_EQ(sent, 1'000U);
  EXPECT_EQ(subscribers.size(), kEventsPerLoop);
  EXPECT_EQ(rig().counters().events_sent.read(), 1'000U);
}

TEST_F(EventsTest, EventsShareTheirPublicationsBuffer) {
  for (int i = 0; i < 3; ++i) subscriber("a");
  ready();
  EXPECT_EQ(buffers_that_leave(), 4U) << "a beginning each, and the rest of the PUBLISH";
  rig().subscriptions.clear();
  subscribe(*publisher, 1, "a");
  rig().publish_topics();
  EXPECT_EQ(buffers_that_leave(), 1U) << "the PUBLISH itself";
}

TEST_F(EventsTest, EventsAreCopiedToAPortThatSendsNoTails) {
  options.ports = 2;
  options.shard.without_tails[1] = true;
  for (std::uint8_t i = 0; i < 4; ++i) subscriber("a", "", {.port = PortId(i % 2)});
  ready();
  EXPECT_EQ(buffers_that_leave(), 5U) << "a beginning or a copy each, and the rest of the PUBLISH";
}

TEST_F(EventsTest, AShareHoldsTheBufferOverLoops) {
  options.sessions = 256;
  options.tx_capacity = 8;
  for (std::uint32_t i = 0; i < 2 * kEventsPerLoop; ++i) subscriber("a");
  ready();
  rig().send(rig().publish_spec(*publisher, "a", std::string(500, 'x')));
  rig().step();
  rig().advance_ms(3);
  rig().step();
  EXPECT_EQ(rig().counters().sent_dropped.read(), kEventsPerLoop - 8) << "their shares end unsent";
  const auto first = rig().take_sent();
  const auto second = run_out();
  ASSERT_EQ(first.size() + second.size(), 8 + kEventsPerLoop);
  for (const auto& events : {std::span(first), std::span(second)})
    for (const Sent& event : events)
      EXPECT_TRUE(std::ranges::equal(event.parsed.payload(), testing::to_bytes(std::string(500, 'x'))));
}

TEST_F(EventsTest, TheLineWaitsForAFullPort) {
  options.sessions = 256;
  options.tx_capacity = 8;
  for (std::uint32_t i = 0; i < 2 * kEventsPerLoop; ++i) subscriber("a");
  ready();
  rig().send(rig().publish_spec(*publisher, "a"));
  EXPECT_EQ(step().size(), 8U);
  EXPECT_EQ(step().size(), 8U);
  EXPECT_EQ(rig().counters().events_sent.read(), kEventsPerLoop) << "no more, while some are kept";
  EXPECT_EQ(run_out().size(), 2 * kEventsPerLoop - 16);
  EXPECT_EQ(rig().counters().sent_dropped.read(), 0U);
}

TEST_F(EventsTest, APortThatTakesNothingHoldsUpOthersForAMoment) {
  options.ports = 2;
  options.sessions = 256;
  options.tx_capacity = 8;
  for (std::uint32_t i = 0; i < 100; ++i) subscriber("a", "", {.port = PortId{1}});
  const Peer& last = subscriber("a");
  ready();
  rig().send(rig().publish_spec(*publisher, "a"));
  rig().step();
  rig().step();
  EXPECT_EQ(counts_of(last).sent.load(), 0U);
  rig().advance_ms(3);
  rig().step();
  rig().step();
  EXPECT_EQ(counts_of(last).sent.load(), 1U);
  rig().send(rig().publish_spec(*publisher, "a"));
  rig().step();
  rig().step();
  EXPECT_EQ(counts_of(last).sent.load(), 2U) << "at once: it still takes nothing";
}

TEST_F(EventsTest, WhoEndsWhileInLineGetsNothing) {
  options.sessions = 256;
  for (std::uint32_t i = 0; i <= kEventsPerLoop; ++i) subscriber("a");
  ready();
  rig().send(rig().publish_spec(*publisher, "a"));
  EXPECT_EQ(step().size(), kEventsPerLoop);
  EXPECT_FALSE(rig().shard().events.empty());
  rig().subscriptions.clear();
  rig().publish_topics();
  EXPECT_TRUE(run_out().empty());
  EXPECT_EQ(rig().counters().events_dropped.read(), 0U);
  EXPECT_TRUE(rig().shard().events.empty());
}

TEST_F(EventsTest, AFullLineDropsAndCounts) {
  options.sessions = 256;
  options.buffers = 4'096;
  options.burst = 64;
  std::vector<Peer*> peers;
  for (int i = 0; i < 200; ++i) peers.push_back(&subscriber("a"));
  ready();
  // Each loop brings 64 times 200 events, and takes 64.
  const int loops = EventLine::kFanOuts / 64 + 2;
  std::vector<Sent> events;
  const auto keep = [&events](std::vector<Sent> sent) { std::ranges::move(sent, std::back_inserter(events)); };
  for (int i = 0; i < loops; ++i) {
    for (int frame = 0; frame < 64; ++frame) rig().send(rig().publish_spec(*publisher, "a"));
    keep(step());
  }
  const std::uint64_t refused = rig().dropped(DropReason::kEventsFull);
  EXPECT_GE(refused, 64U);
  EXPECT_EQ(rig().counters().events_dropped.read(), 200 * refused);
  keep(run_out());
  const std::uint64_t published = 64U * loops;
  std::map<std::uint32_t, std::uint32_t> last;
  for (const Sent& event : events) {
    EXPECT_GT(event.header().sequence(), last[event.header().session()]);
    last[event.header().session()] = event.header().sequence();
  }
  for (const Peer* peer : peers) {
    EXPECT_EQ(counts_of(*peer).sent.load(), published - refused);
    EXPECT_EQ(counts_of(*peer).dropped.load(), refused);
  }
}

TEST_F(EventsTest, OfAFullLineOfSubscribersThoseThatFitAreServed) {
  options.buffers = 8'192;
  ready();
  // One subscriber by many numbers: as many to line up, without as many sessions.
  constexpr std::uint32_t kSubscriptions = EventLine::kTargets / 4 + 1'000;
  for (std::uint32_t number = 1; number <= kSubscriptions; ++number) subscribe(*publisher, number, "a");
  rig().publish_topics();
  for (int i = 0; i < 4; ++i) rig().send(rig().publish_spec(*publisher, "a"));
  EXPECT_EQ(step().size(), kEventsPerLoop);
  EXPECT_EQ(rig().dropped(DropReason::kEventsFull), 0U) << "each found some place";
  EXPECT_EQ(counts_of(*publisher).dropped.load(), 4 * kSubscriptions - EventLine::kTargets);
  EXPECT_EQ(run_out().size(), EventLine::kTargets - kEventsPerLoop);
  EXPECT_EQ(counts_of(*publisher).sent.load(), EventLine::kTargets);
}

TEST_F(EventsTest, WithoutBuffersEventsAreDroppedAndCounted) {
  Peer& first = subscriber("a");
  Peer& second = subscriber("a");
  ready();
  // The loop fills up its spares before it serves the line.
  std::vector<net::Packet> hoard(rig().nic().buffers_free());
  ASSERT_TRUE(rig().nic().allocate(hoard));
  auto spares = std::vector<net::Packet>();
  for (auto& shard = rig().shard(); !shard.spares.empty();) spares.push_back(shard.take_spare());
  rig().nic().free(std::span(hoard).first(1));
  hoard[0] = {};
  rig().send(rig().publish_spec(*publisher, "a"));
  EXPECT_EQ(step().size(), 1U) << "the last one takes the PUBLISH's own";
  EXPECT_EQ(counts_of(first).dropped.load() + counts_of(second).dropped.load(), 1U);
  EXPECT_EQ(rig().counters().no_buffer.read(), 1U);
  rig().nic().free(hoard);
  rig().nic().free(spares);
  // The gap says so.
  std::multiset<std::uint32_t> numbers;
  for (const Sent& event : publish("a")) numbers.insert(event.header().sequence());
  EXPECT_EQ(numbers, (std::multiset<std::uint32_t>{2, 2}));
}

TEST_F(EventsTest, OtherShardsSubscribersAreReachedFromTheirPort) {
  options.shards = 2;
  Peer& v6 = subscriber("a", "", {.family = Family::kIpv6, .shard = ShardId{1}});
  Peer& tagged = subscriber("a", "", {.vlan = 7, .shard = ShardId{1}});
  ready();
  rig().send(rig().publish_spec(*publisher, "a", "more"));
  rig().settle();
  const auto events = rig().take_sent();
  ASSERT_EQ(events.size(), 2U);
  std::set<std::uint32_t> got;
  for (const Sent& event : events) {
    EXPECT_EQ(event.parsed.reason, DropReason::kNone);
    got.insert(event.header().session());
    EXPECT_EQ(raw(event.shard), 0) << "sent by the publisher's core";
    EXPECT_EQ(event.parsed.lower.source.port, testing::kOurPort + 1);
    EXPECT_EQ(event.header().slot(), 0);
    EXPECT_TRUE(std::ranges::equal(event.parsed.payload(), testing::to_bytes("more")));
  }
  EXPECT_EQ(got, (std::set<std::uint32_t>{v6.session.value, tagged.session.value}));
  EXPECT_EQ(counts_of(v6, 0).sent.load(), 1U);
  EXPECT_EQ(counts_of(v6, 1).sent.load(), 0U);
}

TEST_F(EventsTest, UnsoundPublishesAreDropped) {
  subscriber(">");
  ready();
  FrameSpec no_table = rig().publish_spec(*publisher, "a");
  no_table.table = Bytes(16);
  rig().send(no_table);
  FrameSpec wildcard = rig().publish_spec(*publisher, "a");
  wildcard.table = wire::write_subscription("a.*", "");
  rig().send(wildcard);
  EXPECT_TRUE(run_out().empty());
  EXPECT_EQ(rig().dropped(DropReason::kBadTable), 2U);
  EXPECT_EQ(rig().counters().published.read(), 0U);
}

TEST_F(EventsTest, SubscribeGoesToControl) {
  ready();
  for (const FrameType type : {FrameType::Subscribe, FrameType::Unsubscribe}) {
    FrameSpec spec = rig().spec_of(*publisher, type);
    spec.payload.clear();
    rig().send(spec);
    EXPECT_TRUE(run_out().empty());
    const auto punts = rig().take_punts();
    ASSERT_EQ(punts.size(), 1U);
    EXPECT_EQ(punts[0].kind, state::PuntKind::kSubscribe);
    EXPECT_EQ(punts[0].session, publisher->session);
    EXPECT_EQ(punts[0].peer, publisher->address);
    const auto datagram = punts[0].frame().subspan(punts[0].payload_offset);
    EXPECT_EQ(wire::check_datagram(datagram), DropReason::kNone);
    EXPECT_EQ(wire::header_of(datagram).type(), type);
  }
}

}  // namespace
}  // namespace mcplane::dataplane
