// Registration and keep-alive against a broker written by hand.
#include "session_fixture.h"

namespace mcplane::client {
namespace {

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
  const std::uint64_t known_ns = now_;
  for (int i = 0; i < 7; ++i) fire();
  // 50, 100 and 200 ms: the broker is there.
  EXPECT_EQ(now_ - known_ns, (50 + 100 + 5 * 200) * kNsPerMs);
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
  for (int i = 0; i < 7; ++i) fire();
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
  while (session_->registered()) fire();
  out_.clear();
  ASSERT_EQ(session_->state(), SessionState::kWaiting);
  fire();
  EXPECT_EQ(take_one(out_, FrameType::Hello).to, second);
  EXPECT_TRUE(session_->from_broker(second));
  EXPECT_FALSE(session_->from_broker({kBroker.ip, 4801}));
  Frame refusal(FrameType::Reject);
  refusal.header().mutate_answers(FrameType::Hello);
  refusal.header().mutate_sequence(Life{}.hello);
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

TEST_F(SessionTest, HellosAreCountedOverTheProcessLife) {
  make(client_hello());
  register_with({});
  receive(test::unknown_session({}));
  fire();
  EXPECT_EQ(take_one(out_, FrameType::Hello).header().sequence(), 3U);
}

TEST_F(SessionTest, AnswersToAnEarlierRegistrationAreIgnored) {
  make(client_hello());
  const Life left{.hello = 2};
  register_with(left);
  receive(test::unknown_session(left));
  fire();
  out_.clear();
  receive(test::retry(1, left));
  EXPECT_TRUE(out_.empty());
  Frame refusal(FrameType::Reject);
  refusal.header().mutate_answers(FrameType::Hello);
  refusal.header().mutate_sequence(left.hello);
  receive(refusal);
  EXPECT_EQ(session_->state(), SessionState::kHelloSent);
  receive(test::retry(1, {.hello = 3}));
  receive(test::welcome(left));
  EXPECT_EQ(session_->state(), SessionState::kCookieSent);
  receive(test::welcome({.hello = 4}));
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
  refusal.header().mutate_sequence(Life{}.hello);
  refusal.header().mutate_reason(wire::Reason::TableFull);
  refusal.header().mutate_ttl_ms(3'000);
  receive(refusal);
  EXPECT_EQ(session_->refusal(), wire::Reason::TableFull);
  EXPECT_GE(session_->next_timer_ns(), now_ + 3'000 * kMs);
  EXPECT_LE(session_->next_timer_ns(), now_ + 4'000 * kMs);
  fire();
  take_one(out_, FrameType::Hello);
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
