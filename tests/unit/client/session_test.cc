// Registration and keep-alive against a broker written by hand.
#include "client/session.h"

#include <gtest/gtest.h>

#include <optional>

#include "unit/client/harness.h"

namespace mcplane::client {
namespace {

class SessionTest : public testing::Test {
 protected:
  void make(wire::HelloBody hello) { session_.emplace(kBroker, std::move(hello), kMtuBytes, Random(7)); }
  void receive(const Frame& frame) { session_->on_frame(frame.bytes(), now_, out_); }
  // Lets time pass to the session's next timer.
  void fire() {
    now_ = std::max(now_, session_->next_timer_ns());
    session_->on_timer(now_, out_);
  }
  void register_with(const Life& life) {
    if (session_->state() == SessionState::kIdle) session_->start(now_, out_);
    receive(test::retry(++cookies_, life));
    receive(test::welcome(life));
    out_.clear();
    ASSERT_EQ(session_->state(), SessionState::kRegistered);
  }

  Outbox out_;
  std::uint64_t now_ = kStart;
  std::uint32_t cookies_ = 0;
  std::optional<Session> session_;
};

TEST_F(SessionTest, HelloFillsTheFrameAndCarriesNoCookie) {
  wire::HelloBody nameless = client_hello(9);
  nameless.instance = {};
  make(nameless);
  session_->start(now_, out_);
  const auto hello = take_one(out_, FrameType::Hello);
  EXPECT_EQ(hello.frame.bytes().size(), kMtuBytes - 28U);
  EXPECT_EQ(hello.to, kBroker);
  EXPECT_EQ(wire::cookie_of(hello.frame.bytes()).issued_ms(), 0U);
  const auto body = wire::read_hello(wire::table_of(hello.frame.bytes()));
  ASSERT_TRUE(body);
  EXPECT_EQ(body->slots, 9);
  EXPECT_NE(body->instance, wire::Id16{});
}

TEST_F(SessionTest, HelloOverIpv6IsPaddedForItsHeaders) {
  wire::Endpoint broker;
  broker.ip.bytes[0] = 0xfd;
  broker.port = 4800;
  Session session(broker, client_hello(), kMtuBytes, Random(7));
  session.start(now_, out_);
  EXPECT_EQ(take_one(out_, FrameType::Hello).frame.bytes().size(), kMtuBytes - 48U);
}

TEST_F(SessionTest, HelloIsRepeatedFrom50MsDoublingTo1S) {
  make(client_hello());
  session_->start(now_, out_);
  std::vector<std::uint64_t> waits_ms;
  for (int i = 0; i < 7; ++i) {
    out_.clear();
    const std::uint64_t before = now_;
    fire();
    waits_ms.push_back((now_ - before) / kMs);
    take_one(out_, FrameType::Hello);
  }
  EXPECT_EQ(waits_ms, (std::vector<std::uint64_t>{50, 100, 200, 400, 800, 1'000, 1'000}));
}

TEST_F(SessionTest, RetryIsAnsweredOncePerCookie) {
  make(client_hello());
  session_->start(now_, out_);
  out_.clear();
  receive(test::retry(5));
  const auto hello = take_one(out_, FrameType::Hello);
  EXPECT_EQ(wire::cookie_of(hello.frame.bytes()).issued_ms(), 5U);
  EXPECT_EQ(session_->state(), SessionState::kCookieSent);
  receive(test::retry(5));
  EXPECT_TRUE(out_.empty());
  receive(test::retry(6));
  EXPECT_EQ(wire::cookie_of(take_one(out_, FrameType::Hello).frame.bytes()).issued_ms(), 6U);
}

TEST_F(SessionTest, CookieThatBringsNothingIsGivenUp) {
  make(client_hello());
  session_->start(now_, out_);
  receive(test::retry(5));
  out_.clear();
  for (int i = 0; i < 3; ++i) fire();
  for (const auto& sent : take_sent(out_)) EXPECT_EQ(wire::cookie_of(sent.frame.bytes()).issued_ms(), 5U);
  fire();
  EXPECT_EQ(wire::cookie_of(take_one(out_, FrameType::Hello).frame.bytes()).issued_ms(), 0U);
  EXPECT_EQ(session_->state(), SessionState::kHelloSent);
  receive(test::retry(5));  // a broker whose clock stands still may give the same cookie
  EXPECT_EQ(session_->state(), SessionState::kCookieSent);
}

TEST_F(SessionTest, WelcomeGrantsWhatItSays) {
  make(client_hello());
  const Life life{.slot_limit = 77, .frame_bytes = 1400};
  register_with(life);
  EXPECT_EQ(session_->id().value, life.session);
  EXPECT_EQ(session_->boot_id(), life.boot_id);
  EXPECT_EQ(session_->shard(), shard_of(life));
  EXPECT_EQ(session_->slot_limit(), 77);
  EXPECT_EQ(session_->frame_bytes(), 1400);
  EXPECT_EQ(session_->datagram_bytes_max(), 1372U);
  EXPECT_EQ(session_->registrations(), 1U);
}

TEST_F(SessionTest, FramesLargerThanHelloProvedAreNotUsed) {
  make(client_hello());
  register_with({.frame_bytes = 9000});
  EXPECT_EQ(session_->frame_bytes(), kMtuBytes);
}

TEST_F(SessionTest, WelcomeThatCannotBeWorkedWithIsIgnored) {
  for (const Life& life : {Life{.boot_id = 0}, Life{.base_port = 0}, Life{.shards = 0}, Life{.frame_bytes = 100},
                           Life{.heartbeat_interval_ms = 0}, Life{.port = 4804}, Life{.base_port = 65'535}}) {
    make(client_hello());
    session_->start(now_, out_);
    receive(test::retry(1));
    receive(test::welcome(life));
    EXPECT_EQ(session_->state(), SessionState::kCookieSent);
    out_.clear();
  }
}

TEST_F(SessionTest, WelcomeNobodyAskedForIsIgnored) {
  make(client_hello());
  session_->start(now_, out_);
  receive(test::welcome({}));
  EXPECT_EQ(session_->state(), SessionState::kHelloSent);
}

TEST_F(SessionTest, AfterFourUnansweredHellosTheNextBrokerIsAsked) {
  make(client_hello());
  const wire::Endpoint second{wire::IpAddress::v4({10, 0, 0, 2}), 4900},
      third{wire::IpAddress::v4({10, 0, 0, 3}), 4800};
  session_->add_broker(second);
  session_->add_broker(third);
  session_->start(now_, out_);
  for (int i = 0; i < 12; ++i) fire();
  std::vector<wire::Endpoint> asked;
  for (const auto& hello : take_sent(out_)) asked.push_back(hello.to);
  EXPECT_EQ(asked, (std::vector<wire::Endpoint>{kBroker, kBroker, kBroker, kBroker, second, second, second, second,
                                                third, third, third, third, kBroker}));
  EXPECT_LE(now_ - kStart, 3 * 751 * kMs);  // the wait starts anew with each
}

TEST_F(SessionTest, ABrokerThatTakesNoCookieIsLeftForTheNext) {
  make(client_hello());
  const wire::Endpoint second{wire::IpAddress::v4({10, 0, 0, 2}), 4900};
  session_->add_broker(second);
  session_->start(now_, out_);
  receive(test::retry(1));
  for (int i = 0; i < 3; ++i) fire();
  for (const auto& hello : take_sent(out_)) EXPECT_EQ(hello.to, kBroker);
  fire();
  const auto hello = take_one(out_, FrameType::Hello);
  EXPECT_EQ(hello.to, second);
  EXPECT_EQ(wire::cookie_of(hello.frame.bytes()).issued_ms(), 0U);
}

TEST_F(SessionTest, SilenceAndRefusalLeadToTheNextBroker) {
  make(client_hello());
  const wire::Endpoint second{wire::IpAddress::v4({10, 0, 0, 2}), 4900};
  session_->add_broker(second);
  register_with({});
  EXPECT_EQ(session_->broker(), kBroker);
  for (int i = 0; i < 4; ++i) fire();
  out_.clear();
  ASSERT_EQ(session_->state(), SessionState::kWaiting);
  fire();
  EXPECT_EQ(take_one(out_, FrameType::Hello).to, second);
  EXPECT_TRUE(session_->from_broker(second));
  EXPECT_FALSE(session_->from_broker({kBroker.ip, 4801}));
  Frame refusal(FrameType::Reject);
  refusal.header().mutate_answers(FrameType::Hello);
  refusal.header().mutate_reason(wire::Reason::Draining);
  refusal.header().mutate_ttl_ms(60'000);
  receive(refusal);
  EXPECT_LE(session_->next_timer_ns(), now_ + 1'000 * kMs);
  fire();
  EXPECT_EQ(take_one(out_, FrameType::Hello).to, kBroker);
}

// It is there, but was started anew.
TEST_F(SessionTest, ForgottenSessionIsRenewedAtTheSameBroker) {
  make(client_hello());
  session_->add_broker({wire::IpAddress::v4({10, 0, 0, 2}), 4900});
  register_with({});
  receive(test::unknown_session({}));
  fire();
  EXPECT_EQ(take_one(out_, FrameType::Hello).to, kBroker);
}

TEST_F(SessionTest, WelcomeOfABrokerThatIsGoneIsIgnored) {
  make(client_hello());
  session_->start(now_, out_);
  receive(test::retry(1, {.boot_id = 0xbeef}));
  receive(test::welcome({}));
  EXPECT_EQ(session_->state(), SessionState::kCookieSent);
  receive(test::welcome({.boot_id = 0xbeef}));
  EXPECT_TRUE(session_->registered());
}

TEST_F(SessionTest, WelcomeOfAPredecessorIsIgnored) {
  make(client_hello());
  session_->start(now_, out_);
  receive(test::retry(1));
  Life predecessor;
  predecessor.instance[15] ^= 1;
  receive(test::welcome(predecessor));
  EXPECT_EQ(session_->state(), SessionState::kCookieSent);
  receive(test::welcome({}));
  EXPECT_TRUE(session_->registered());
}

TEST_F(SessionTest, RefusedHelloWaitsAsToldAndIsRemembered) {
  make(client_hello());
  session_->start(now_, out_);
  out_.clear();
  Frame refusal(FrameType::Reject);
  refusal.header().mutate_answers(FrameType::Hello);
  refusal.header().mutate_reason(wire::Reason::TableFull);
  refusal.header().mutate_ttl_ms(3'000);
  receive(refusal);
  EXPECT_EQ(session_->refusal(), wire::Reason::TableFull);
  EXPECT_GE(session_->next_timer_ns(), now_ + 3'000 * kMs);
  EXPECT_LE(session_->next_timer_ns(), now_ + 4'000 * kMs);
  fire();
  take_one(out_, FrameType::Hello);
}

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

TEST_F(SessionTest, SendingToASilentBrokerStillPingsAndFindsOut) {
  make(client_hello());
  register_with({});
  const std::uint64_t registered = now_;
  for (; session_->registered() && now_ < registered + 60'000 * kMs; now_ += 10 * kMs) {
    session_->on_sent(now_);
    session_->on_timer(now_, out_);
  }
  EXPECT_EQ(take_sent(out_).size(), 3U);
  EXPECT_EQ(session_->state(), SessionState::kWaiting);
  EXPECT_LE(now_ - registered, 4'100 * kMs);
}

// A pulled cable: the broker's lease stood still meanwhile, and runs again with the first PING that gets through.
TEST_F(SessionTest, AfterASilenceTheSessionGoesOnWithTheFirstPong) {
  make(worker_hello());
  register_with({});
  for (int i = 0; i < 12; ++i) fire();
  ASSERT_FALSE(session_->registered());
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
  for (int i = 0; i < 3; ++i) fire();
  EXPECT_EQ(take_sent(out_).size(), 3U);
  EXPECT_TRUE(session_->registered());
  fire();
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(session_->state(), SessionState::kWaiting);
  const std::uint64_t waits_since = now_;
  while (session_->state() == SessionState::kWaiting) {
    out_.clear();
    fire();
  }
  EXPECT_LE(now_, waits_since + 1'000 * kMs);
  take_one(out_, FrameType::Hello);
  EXPECT_EQ(session_->state(), SessionState::kHelloSent);
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
  for (int i = 0; i < 4; ++i) {
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

TEST_F(SessionTest, FullOutboxPutsOffWhatIsDue) {
  make(client_hello());
  while (!out_.full()) out_.commit(wire::kLeadBytes, kBroker);
  session_->start(now_, out_);
  EXPECT_EQ(session_->next_timer_ns(), now_);
  out_.clear();
  fire();
  take_one(out_, FrameType::Hello);
  while (!out_.full()) out_.commit(wire::kLeadBytes, kBroker);
  receive(test::retry(3));
  out_.clear();
  fire();
  EXPECT_EQ(wire::cookie_of(take_one(out_, FrameType::Hello).frame.bytes()).issued_ms(), 3U);
}

TEST_F(SessionTest, CloseSaysBye) {
  make(client_hello());
  const Life life;
  register_with(life);
  session_->close(now_, out_);
  const auto bye = take_one(out_, FrameType::Bye);
  EXPECT_EQ(bye.header().session(), life.session);
  EXPECT_EQ(bye.to, shard_of(life));
  EXPECT_EQ(session_->state(), SessionState::kClosed);
  receive(test::unknown_session(life));
  receive(test::retry(9));
  session_->on_timer(now_ + 60'000 * kMs, out_);
  EXPECT_TRUE(out_.empty());
}

TEST_F(SessionTest, ClosedWorkerKeepsItsSessionAliveUntilTheBrokerEndsIt) {
  make(worker_hello());
  const Life life;
  register_with(life);
  session_->close(now_, out_);
  take_one(out_, FrameType::Bye);
  for (int i = 0; i < 5; ++i) {
    fire();
    EXPECT_EQ(take_one(out_, FrameType::Ping).header().session(), life.session);
  }
  receive(test::unknown_session(life));
  session_->on_timer(now_ + 60'000 * kMs, out_);
  EXPECT_TRUE(out_.empty());
  EXPECT_EQ(session_->state(), SessionState::kClosed);
}

TEST_F(SessionTest, OnlyTheBrokersAddressAndShardPortsAreItsOwn) {
  make(client_hello());
  register_with({});
  EXPECT_TRUE(session_->from_broker(kBroker));
  EXPECT_TRUE(session_->from_broker({kBroker.ip, 4803}));
  EXPECT_FALSE(session_->from_broker({kBroker.ip, 4804}));
  EXPECT_FALSE(session_->from_broker({kBroker.ip, 4799}));
  EXPECT_FALSE(session_->from_broker({wire::IpAddress::v4({10, 0, 0, 2}), 4800}));
}

}  // namespace
}  // namespace mcplane::client
