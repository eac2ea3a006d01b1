// A session that is registered: PINGs and what they measure, silence, and registering again.
#include "session_fixture.h"

namespace mcplane::client {
namespace {

TEST_F(SessionTest, ClientPingsItsShardEachInterval) {
  make(client_hello());
  const Life life;
  register_with(life);
  for (std::uint32_t number = 1; number <= 3; ++number) {
    const std::uint64_t before = now_;
    fire();
    EXPECT_EQ(now_ - before, 1'000 * kMs);
    const auto ping = take_one(out_, FrameType::Ping);
    EXPECT_EQ(ping.to, shard_of(life));
    EXPECT_EQ(ping.header().sequence(), number);
    EXPECT_EQ(ping.header().session(), life.session);
    receive(test::pong(life, number));
  }
}

TEST_F(SessionTest, SentFramesPutOffThePingOnceTheRoundTripIsKnown) {
  make(client_hello());
  const Life life;
  register_with(life);
  const std::uint64_t registered = now_;
  std::vector<std::uint64_t> pings_ms;
  while (now_ < registered + 10'000 * kMs) {
    now_ += 10 * kMs;
    session_->on_sent(now_);
    if (session_->next_timer_ns() <= now_) session_->on_timer(now_, out_);
    receive(test::pong(life, 0));  // any frame: the broker is heard
    for (const auto& ping : take_sent(out_)) {
      pings_ms.push_back((now_ - registered) / kMs);
      receive(test::pong(life, ping.header().sequence()));
    }
  }
  EXPECT_EQ(pings_ms, (std::vector<std::uint64_t>{1'000, 5'000, 9'000}));
}

TEST_F(SessionTest, PingSaysWhatRoundTripWasMeasured) {
  make(client_hello());
  session_->start(now_, out_);
  fire();  // a second HELLO: whose answer comes is not known, and not measured
  receive(test::retry(1));
  receive(test::welcome({}));
  out_.clear();
  fire();
  const auto first = take_one(out_, FrameType::Ping);
  EXPECT_EQ(wire::ping_srtt_us(first.header()), 0U);
  EXPECT_EQ(wire::ping_rttvar_us(first.header()), 0U);
  now_ += 8 * kMs;
  receive(test::pong({}, first.header().sequence()));
  fire();
  const auto second = take_one(out_, FrameType::Ping);
  EXPECT_NEAR(wire::ping_srtt_us(second.header()), 8'000, 1);
  EXPECT_NEAR(wire::ping_rttvar_us(second.header()), 4'000, 1);
}

TEST_F(SessionTest, APingOfTheBrokerIsAnsweredByOneOfOurs) {
  const Life life;
  for (const auto& hello : {client_hello(), worker_hello()}) {
    session_.reset();
    make(hello);
    register_with(life);
    Frame ping = test::ping(life);
    receive(ping);
    const auto answer = take_one(out_, FrameType::Ping);
    EXPECT_EQ(answer.header().session(), life.session);
    EXPECT_EQ(answer.header().boot_id(), life.boot_id);
    const std::uint64_t before_ns = session_->srtt_ns();
    now_ += 50 * kMs;
    receive(test::pong(life, answer.header().sequence()));
    EXPECT_NE(session_->srtt_ns(), before_ns) << "it is a PING as any";
    ping.header().mutate_session(life.session + 1);
    receive(ping);
    ping = test::ping(life);
    ping.header().mutate_boot_id(life.boot_id + 1);
    receive(ping);
    EXPECT_TRUE(out_.empty());
  }
  session_->close(now_, out_);
  out_.clear();
  receive(test::ping(life));
  take_one(out_, FrameType::Ping);
  while (!out_.full()) out_.commit(wire::kLeadBytes, kBroker);
  receive(test::ping(life));  // the broker asks again
  out_.clear();
}

TEST_F(SessionTest, PtoComesFromPingsAndIsCautiousBeforeThem) {
  make(client_hello());
  session_->start(now_, out_);
  now_ += 30 * kMs;
  receive(test::retry(1));
  receive(test::welcome({.max_ack_delay_us = 25'000}));
  out_.clear();
  EXPECT_EQ(session_->max_ack_delay_ns(), 25 * kMs);
  EXPECT_EQ(session_->pto_ns(), 90 * kMs);
  fire();
  now_ += 30 * kMs;
  receive(test::pong({}, take_one(out_, FrameType::Ping).header().sequence()));
  // The second sample is as the first: the variation halves, nearly.
  EXPECT_EQ(session_->pto_ns(), 30 * kMs + 4 * 11'250 * kNsPerUs + 25 * kMs);
}

TEST_F(SessionTest, PongMovesTheSlotLimitBelowWhatWasGranted) {
  make(client_hello());
  Life life{.slot_limit = 100};
  register_with(life);
  const auto answer_with = [&](std::uint16_t limit) {
    fire();
    life.slot_limit = limit;
    receive(test::pong(life, take_one(out_, FrameType::Ping).header().sequence()));
    return session_->slot_limit();
  };
  EXPECT_EQ(answer_with(40), 40);
  EXPECT_EQ(answer_with(70), 70);
  EXPECT_EQ(answer_with(101), 100);
}

// A broker whose peers become many, then few.
TEST_F(SessionTest, PongMovesTheInterval) {
  for (const auto& hello : {client_hello(), worker_hello()}) {
    session_.reset();
    make(hello);
    const Life life{.heartbeat_interval_ms = 100};
    register_with(life);
    const auto answer_with = [&](std::uint32_t interval_ms) {
      Frame pong = test::pong(life, take_sent(out_).back().header().sequence());
      out_.clear();
      pong.header().mutate_ttl_ms(interval_ms);
      receive(pong);
    };
    const auto ms_to_next_ping = [&] {
      const std::uint64_t before = now_;
      while (out_.empty()) fire();
      return (now_ - before) / kMs;
    };
    // A worker's first PINGs go to each shard at once.
    do ms_to_next_ping(), answer_with(0);
    while (session_->next_timer_ns() <= now_);
    EXPECT_EQ(ms_to_next_ping(), 100U);
    answer_with(1'280);
    EXPECT_EQ(ms_to_next_ping(), 1'280U);
    answer_with(0);  // says nothing
    EXPECT_EQ(ms_to_next_ping(), 1'280U);
    answer_with(70);
    EXPECT_EQ(ms_to_next_ping(), 70U);
  }
}

// A broker whose peers become many, then few.
TEST_F(SessionTest, PongMovesTheAcknowledgementDelay) {
  make(client_hello());
  register_with({});
  const auto answer_with = [&](std::uint32_t delay_us) {
    fire();
    Frame pong = test::pong({}, take_one(out_, FrameType::Ping).header().sequence());
    wire::set_pong_ack_delay_us(pong.header(), delay_us);
    const std::uint64_t round_trip_ns = 10 * kMs;
    now_ += round_trip_ns;
    receive(pong);
    return session_->max_ack_delay_ns();
  };
  const std::uint64_t registered_with = session_->max_ack_delay_ns();
  EXPECT_EQ(answer_with(0), registered_with);
  EXPECT_EQ(answer_with(25'000), 25 * kMs);
  EXPECT_GE(session_->pto_ns(), 35 * kMs) << "counts at once";
  EXPECT_EQ(answer_with(0), 25 * kMs) << "says nothing";
  EXPECT_EQ(answer_with(1'000), kMs);
  EXPECT_EQ(answer_with(0xffffffff), kNsPerSecond) << "no broker may keep us waiting for longer";
}

TEST_F(SessionTest, SendingToASilentBrokerStillPingsAndFindsOut) {
  make(client_hello());
  register_with({});
  const std::uint64_t registered = now_;
  for (; session_->registered() && now_ < registered + 60'000 * kMs; now_ += 10 * kMs) {
    session_->on_sent(now_);
    session_->on_timer(now_, out_);
  }
  EXPECT_EQ(take_sent(out_).size(), 3U * 5U) << "three heartbeats, each repeated four times";
  EXPECT_EQ(session_->state(), SessionState::kWaiting);
  EXPECT_LE(now_ - registered, 4'100 * kMs);
}

// A pulled cable: the broker's lease stood still meanwhile, and runs again with the first PING that gets through.
TEST_F(SessionTest, AfterASilenceTheSessionGoesOnWithTheFirstPong) {
  make(worker_hello());
  register_with({});
  while (session_->registered()) fire();
  out_.clear();
  for (int i = 0; i < 24; ++i) fire();
  const auto sent = take_sent(out_);
  const auto pings = std::ranges::count_if(
      sent, [](const auto& one) { return wire::header_of(one.frame.bytes()).type() == FrameType::Ping; });
  EXPECT_GT(pings, 5) << "as often as before";
  receive(test::pong({.session = 0x00500005}, 1));
  EXPECT_FALSE(session_->registered()) << "another session's";
  receive(test::pong({}, 7));
  EXPECT_TRUE(session_->registered());
  EXPECT_EQ(session_->registrations(), 1U);
  fire();
  take_one(out_, FrameType::Ping);
}

TEST_F(SessionTest, AnUnknownSessionIsNotAskedForAgain) {
  make(worker_hello());
  register_with({});
  while (session_->registered()) fire();
  receive(test::unknown_session({}));
  out_.clear();
  for (int i = 0; i < 6; ++i) fire();
  for (const auto& one : take_sent(out_)) EXPECT_EQ(wire::header_of(one.frame.bytes()).type(), FrameType::Hello);
}

TEST_F(SessionTest, ThreeLostPingsEndTheSessionAndHelloFollowsWithinASecond) {
  make(client_hello());
  register_with({});
  const std::uint64_t registered = now_;
  std::vector<std::uint64_t> pings_ms;
  for (fire(); session_->registered(); fire()) {
    take_one(out_, FrameType::Ping);
    pings_ms.push_back((now_ - registered) / kMs);
  }
  EXPECT_EQ(pings_ms, (std::vector<std::uint64_t>{1'000, 1'050, 1'150, 1'350, 1'750, 2'000, 2'050, 2'150, 2'350, 2'750,
                                                  3'000, 3'050, 3'150, 3'350, 3'750}));
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(session_->state(), SessionState::kWaiting);
  EXPECT_EQ(now_ - registered, 4'000 * kMs);
  const std::uint64_t waits_since = now_;
  while (session_->state() == SessionState::kWaiting) {
    out_.clear();
    fire();
  }
  EXPECT_LE(now_, waits_since + 1'000 * kMs);
  take_one(out_, FrameType::Hello);
  EXPECT_EQ(session_->state(), SessionState::kHelloSent);
}

TEST_F(SessionTest, APingIsRepeatedUntilItIsAnswered) {
  make(client_hello());
  const Life life;
  register_with(life);
  for (int i = 0; i < 3; ++i) fire();
  const auto sent = take_sent(out_);
  ASSERT_EQ(sent.size(), 3U);
  const std::uint64_t first = now_ - 150 * kMs;
  receive(test::pong(life, sent.back().header().sequence()));
  EXPECT_EQ(session_->next_timer_ns(), first + 1'000 * kMs) << "the next heartbeat is where it was";
}

TEST_F(SessionTest, ReHelloTimesAreSpreadOverTheSecond) {
  std::uint64_t least = ~0ULL, most = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Session session(kBroker, client_hello(), kMtuBytes, Random(seed));
    session.start(now_, out_);
    session.on_frame(test::retry(1).bytes(), now_, out_);
    session.on_frame(test::welcome({}).bytes(), now_, out_);
    session.on_frame(test::unknown_session({}).bytes(), now_, out_);
    out_.clear();
    ASSERT_EQ(session.state(), SessionState::kWaiting);
    least = std::min(least, session.next_timer_ns() - now_);
    most = std::max(most, session.next_timer_ns() - now_);
  }
  EXPECT_LT(least, 50 * kMs);
  EXPECT_GT(most, 950 * kMs);
  EXPECT_LE(most, 1'000 * kMs);
}

TEST_F(SessionTest, AnyFrameOfTheBrokerResetsTheCountOfLostPings) {
  make(client_hello());
  const Life life;
  register_with(life);
  for (int round = 0; round < 4; ++round) {
    fire();
    fire();
    receive(test::acknowledge_result(life, 1));
  }
  EXPECT_TRUE(session_->registered());
}

TEST_F(SessionTest, FramesOfAnotherBootDoNotCountAsHeard) {
  make(client_hello());
  register_with({});
  for (int i = 0; i < 16; ++i) {
    fire();
    receive(test::pong({.boot_id = 0xdead}, 1));
  }
  EXPECT_EQ(session_->state(), SessionState::kWaiting);
}

TEST_F(SessionTest, ReHelloKeepsTheInstance) {
  make(client_hello());
  session_->start(now_, out_);
  const auto first = take_one(out_, FrameType::Hello);
  register_with({});
  receive(test::unknown_session({}));
  fire();
  const auto second = take_one(out_, FrameType::Hello);
  EXPECT_EQ(wire::read_hello(wire::table_of(first.frame.bytes()))->instance,
            wire::read_hello(wire::table_of(second.frame.bytes()))->instance);
}

TEST_F(SessionTest, AnotherBootIsANewRegistration) {
  make(client_hello());
  register_with({});
  receive(test::unknown_session({.boot_id = 0xbeef}));
  ASSERT_EQ(session_->state(), SessionState::kWaiting);
  EXPECT_EQ(session_->boot_id(), Life{}.boot_id);
  fire();
  register_with({.boot_id = 0xbeef, .session = 0x00500005});
  EXPECT_EQ(session_->boot_id(), 0xbeefU);
  EXPECT_EQ(session_->id().value, 0x00500005U);
  EXPECT_EQ(session_->registrations(), 2U);
}

TEST_F(SessionTest, WorkerPingsEveryShardAtOnceThenInTurn) {
  make(worker_hello());
  const Life life;
  register_with(life);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(session_->next_timer_ns(), now_);
    fire();
  }
  std::vector<std::uint16_t> ports;
  for (const auto& sent : take_sent(out_)) {
    ports.push_back(sent.to.port);
    receive(test::pong(life, sent.header().sequence()));
  }
  EXPECT_EQ(ports, (std::vector<std::uint16_t>{4800, 4801, 4802, 4803}));
  ports.clear();
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = now_;
    session_->on_sent(now_);  // other frames do not keep the other ports open
    fire();
    EXPECT_EQ(now_ - before, 1'000 * kMs);
    const auto ping = take_one(out_, FrameType::Ping);
    ports.push_back(ping.to.port);
    receive(test::pong(life, ping.header().sequence()));
  }
  EXPECT_EQ(ports, (std::vector<std::uint16_t>{4800, 4801, 4802, 4803, 4800}));
}

TEST_F(SessionTest, ShardThatDidNotAnswerIsPingedFirst) {
  make(worker_hello());
  const Life life;
  register_with(life);
  for (int i = 0; i < 4; ++i) fire();
  for (const auto& sent : take_sent(out_))
    if (sent.to.port != 4802) receive(test::pong(life, sent.header().sequence()));
  fire();
  EXPECT_EQ(take_one(out_, FrameType::Ping).to.port, 4802);
}

TEST_F(SessionTest, RttComesFromRetryAndPong) {
  make(client_hello());
  session_->start(now_, out_);
  now_ += 2 * kMs;
  receive(test::retry(1));
  EXPECT_EQ(session_->srtt_ns(), 2 * kMs);
  receive(test::welcome({}));
  fire();
  now_ += 10 * kMs;
  receive(test::pong({}, 1));
  EXPECT_EQ(session_->srtt_ns(), 3 * kMs);
  now_ += 10 * kMs;
  receive(test::pong({}, 1));  // a second answer to one PING is no sample
  EXPECT_EQ(session_->srtt_ns(), 3 * kMs);
}

}  // namespace
}  // namespace mcplane::client
