// SUBSCRIBE and UNSUBSCRIBE: what the cores match by, what is answered, and in which order.
#include "control/reports/report.h"
#include "control_fixture.h"
#include "wire/layout.h"
#include "wire/topic.h"

namespace mcplane::control {
namespace {

using wire::FrameType;
using wire::Reason;

class SubscribingTest : public ControlTest {
 protected:
  void join_client(std::uint32_t shards = 1) {
    start(shards);
    session = join(hello);
    ASSERT_TRUE(session);
  }
  void subscribe(std::uint32_t number, std::string_view topic, std::string_view group = "") {
    punt_subscribe(session, number, wire::write_subscription(topic, group), hello);
  }
  std::size_t matching(std::string_view topic) const {
    std::size_t count = 0;
    const state::TopicTree* const tree = shared->topics.load();
    if (tree != nullptr)
      tree->match(*wire::split_topic(topic),
                  [&count](const state::TopicTree::Node& node) { count += node.each.size() + node.groups.size(); });
    return count;
  }
  wire::Header only_frame(std::size_t shard = 0) {
    const auto frames = take_frames(shard);
    EXPECT_EQ(frames.size(), 1U);
    return frames.empty() ? wire::Header{} : frames[0].header;
  }

  HelloSpec hello = client_hello();
  SessionId session;
};

TEST_F(SubscribingTest, AnAckComesWhenTheCoresKnow) {
  join_client();
  subscribe(9, "jobs.*", "loggers");
  poll();
  EXPECT_EQ(matching("jobs.done"), 1U);
  const auto frames = take_frames();
  ASSERT_EQ(frames.size(), 1U);
  const wire::Header& ack = frames[0].header;
  EXPECT_EQ(ack.type(), FrameType::Ack);
  EXPECT_EQ(ack.answers(), FrameType::Subscribe);
  EXPECT_EQ(ack.sequence(), 9U);
  EXPECT_EQ(ack.session(), session.value);
  EXPECT_EQ(ack.boot_id(), kBootId);
  EXPECT_EQ(frames[0].lower.source, hello.local);
  const state::SessionRecord* const record = shared->topics.load()->find(session);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->peer, hello.peer);

  // Too soon for another tree: no ACK either.
  subscribe(10, "jobs.>");
  poll();
  EXPECT_EQ(matching("jobs.done"), 1U);
  EXPECT_TRUE(take_frames().empty());
  run(6);
  EXPECT_EQ(matching("jobs.done"), 2U);
  EXPECT_EQ(only_frame().sequence(), 10U);
}

TEST_F(SubscribingTest, ARepetitionIsAnsweredAgain) {
  join_client();
  subscribe(1, "a");
  poll();
  const state::TopicTree* const tree = shared->topics.load();
  take_frames();
  subscribe(1, "a");
  poll();
  EXPECT_EQ(shared->topics.load(), tree);
  EXPECT_EQ(only_frame().answers(), FrameType::Subscribe);
}

TEST_F(SubscribingTest, UnsubscribingTakesItOut) {
  join_client();
  subscribe(1, "a");
  subscribe(2, "a");
  poll();
  take_frames();
  run(6);
  punt_subscribe(session, 1, {}, hello);
  poll();
  EXPECT_EQ(matching("a"), 1U);
  wire::Header ack = only_frame();
  EXPECT_EQ(ack.answers(), FrameType::Unsubscribe);
  EXPECT_EQ(ack.sequence(), 1U);
  run(6);
  punt_subscribe(session, 2, {}, hello);
  poll();
  EXPECT_EQ(shared->topics.load(), nullptr) << "nobody subscribes";
  take_frames();
  punt_subscribe(session, 77, {}, hello);
  poll();
  EXPECT_EQ(only_frame().sequence(), 77U) << "there is no such subscription any more";
}

TEST_F(SubscribingTest, TheEndOfASessionEndsItsSubscriptions) {
  join_client();
  subscribe(1, "a");
  poll();
  take_frames();
  run(6);
  punt_bye(session, hello.peer);
  poll();
  EXPECT_EQ(shared->topics.load(), nullptr);
  discard_commands();
  subscribe(2, "a");
  run(6);
  EXPECT_EQ(shared->topics.load(), nullptr);
  EXPECT_TRUE(take_frames().empty());
}

TEST_F(SubscribingTest, ATreeHasTheSubscribersOwnShard) {
  join_client(2);
  const HelloSpec other_hello = client_hello(1'001, 2);
  const SessionId other = join(other_hello);  // shard 0 has a client already
  punt_subscribe(other, 1, wire::write_subscription("a", ""), other_hello, 1);
  poll();
  EXPECT_EQ(only_frame(1).answers(), FrameType::Subscribe);
  const state::SessionRecord* const record = shared->topics.load()->find(other);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(wire::load_be16(record->lower.bytes.data() + record->lower.udp_offset()), testing::kOurPort + 1);
}

TEST_F(SubscribingTest, MalformedOnesAreRefused) {
  join_client();
  struct Case {
    const char* what;
    std::uint32_t number;
    testing::Bytes table;
  };
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(wire::fb::CreateSubscriptionDirect(builder, "a..b"));
  const auto unsound = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  for (const Case& one : std::vector<Case>{{"number 0", 0, wire::write_subscription("a", "")},
                                           {"no table", 1, testing::Bytes(8)},
                                           {"no pattern", 2, {unsound.begin(), unsound.end()}}}) {
    punt_subscribe(session, one.number, one.table, hello);
    poll();
    const wire::Header reject = only_frame();
    EXPECT_EQ(reject.type(), FrameType::Reject) << one.what;
    EXPECT_EQ(reject.answers(), FrameType::Subscribe) << one.what;
    EXPECT_EQ(reject.reason(), Reason::Malformed) << one.what;
    EXPECT_EQ(reject.sequence(), one.number) << one.what;
    EXPECT_EQ(reject.session(), session.value) << one.what;
  }
  EXPECT_EQ(control->subscriptions().size(), 0U);
}

TEST_F(SubscribingTest, OneTooManyIsRefused) {
  join_client();
  for (std::uint32_t number = 1; number <= Subscriptions::kOfSessionMax; ++number) {
    subscribe(number, "a");
    if (number % 256 == 0) {
      poll();
      run(10);
      discard_commands();
    }
  }
  subscribe(2'000, "a");
  poll();
  const wire::Header reject = only_frame();
  EXPECT_EQ(reject.reason(), Reason::TableFull);
  EXPECT_EQ(reject.ttl_ms(), options.retry_after_ms);
}

TEST_F(SubscribingTest, StrangersAreNotHeard) {
  join_client();
  punt_subscribe(session, 1, wire::write_subscription("a", ""), client_hello(9));
  punt_subscribe(SessionId{session.value + 1}, 1, wire::write_subscription("a", ""), hello);
  poll();
  EXPECT_EQ(control->subscriptions().size(), 0U);
  EXPECT_TRUE(take_frames().empty());
}

TEST_F(SubscribingTest, ASessionsCountsBeginAnew) {
  start();
  shared->shards[0]->events[0].sent.store(7);
  shared->shards[0]->events[0].dropped.store(8);
  ASSERT_EQ(join(hello).index(), 0U);
  EXPECT_EQ(shared->shards[0]->events[0].sent.load(), 0U);
  EXPECT_EQ(shared->shards[0]->events[0].dropped.load(), 0U);
}

TEST_F(SubscribingTest, ReportsSaySubscribersAndTheirCounts) {
  join_client(2);
  subscribe(3, "jobs.*", "loggers");
  poll();
  for (const auto& shard : shared->shards) {
    state::EventCounts& counts = shard->events[session.index()];
    counts.sent.store(5);
    counts.dropped.store(1);
  }
  const std::string json = subscriptions_json(*control);
  EXPECT_NE(json.find(R"("sent":10,"dropped":2,"subscriptions":[{"number":3,"topic":"jobs.*","group":"loggers"}])"),
            std::string::npos)
      << json;
}

}  // namespace
}  // namespace mcplane::control
