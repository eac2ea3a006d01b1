#include "wire/topic.h"

#include <gtest/gtest.h>

#include <string>

#include "support/frame_builder.h"
#include "wire/header.h"

namespace mcplane::wire {
namespace {

using testing::Bytes;

std::string tokens_of(std::size_t count) {
  std::string topic = "t";
  for (std::size_t i = 1; i < count; ++i) topic += ".t";
  return topic;
}

template <class Builder>
Bytes bytes_of(const Builder& builder) {
  const auto bytes = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
  return {bytes.begin(), bytes.end()};
}
// The writers refuse what is beyond the limits, so bytes that break them are made by hand.
Bytes raw_subscription(const std::string& topic, const std::string& group = "") {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateSubscriptionDirect(builder, topic.c_str(), group.empty() ? nullptr : group.c_str()));
  return bytes_of(builder);
}
Bytes raw_publication(const std::string& topic) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreatePublicationDirect(builder, topic.c_str()));
  return bytes_of(builder);
}

TEST(Topic, SplitsAtDots) {
  const auto topic = split_topic("jobs.eu-1.done");
  ASSERT_TRUE(topic);
  ASSERT_EQ(topic->count, 3U);
  EXPECT_EQ(topic->tokens[0], "jobs");
  EXPECT_EQ(topic->tokens[1], "eu-1");
  EXPECT_EQ(topic->tokens[2], "done");
}

TEST(Topic, LimitsHold) {
  const std::string longest(kTopicBytesMax, 't'), too_long(kTopicBytesMax + 1, 't');
  struct Case {
    std::string text;
    bool topic, pattern;
  };
  for (const Case& one : std::vector<Case>{{"a", true, true},
                                           {"!.~", true, true},
                                           {longest, true, true},
                                           {too_long, false, false},
                                           {tokens_of(kTopicTokensMax), true, true},
                                           {tokens_of(kTopicTokensMax + 1), false, false},
                                           {"", false, false},
                                           {".", false, false},
                                           {"a.", false, false},
                                           {".a", false, false},
                                           {"a..b", false, false},
                                           {"a b", false, false},
                                           {"a\n", false, false},
                                           {"a\x7f", false, false},
                                           {"caf\xc3\xa9", false, false},
                                           {"*", false, true},
                                           {">", false, true},
                                           {"*.b.*", false, true},
                                           {"a.>", false, true},
                                           {"*.>", false, true},
                                           {">.a", false, false},
                                           {"a.>.b", false, false},
                                           {"a*", false, false},
                                           {"a.b>", false, false},
                                           {"**", false, false}}) {
    EXPECT_EQ(is_topic(one.text), one.topic) << one.text;
    EXPECT_EQ(is_pattern(one.text), one.pattern) << one.text;
    EXPECT_EQ(read_publication(raw_publication(one.text)).has_value(), one.topic) << one.text;
    EXPECT_EQ(read_topic(raw_publication(one.text)).has_value(), one.topic) << one.text;
    EXPECT_EQ(read_subscription(raw_subscription(one.text)).has_value(), one.pattern) << one.text;
  }
}

TEST(Topic, PatternsMatch) {
  struct Case {
    const char *pattern, *topic;
    bool matches;
  };
  for (const Case& one : std::vector<Case>{{"a.b", "a.b", true},
                                           {"a.b", "a.c", false},
                                           {"a.b", "a", false},
                                           {"a.b", "a.b.c", false},
                                           {"a.*", "a.b", true},
                                           {"a.*", "a", false},
                                           {"a.*", "a.b.c", false},
                                           {"*.b", "a.b", true},
                                           {"*.*", "a", false},
                                           {"a.>", "a.b", true},
                                           {"a.>", "a.b.c.d", true},
                                           {"a.>", "a", false},
                                           {"a.>", "b.a", false},
                                           {">", "a", true},
                                           {">", "a.b", true},
                                           {"*.>", "a.b", true},
                                           {"*.>", "a", false},
                                           {"a.>.b", "a.x.b", false},
                                           {"a.*", "a.*", false}}) {
    EXPECT_EQ(topic_matches(one.pattern, one.topic), one.matches) << one.pattern << " " << one.topic;
  }
}

TEST(Topic, TablesReadAsWritten) {
  const Bytes table = write_subscription("jobs.*.>", "loggers");
  EXPECT_EQ(table.size() % 4, 0U);
  const auto subscription = read_subscription(table);
  ASSERT_TRUE(subscription);
  EXPECT_EQ(subscription->topic, "jobs.*.>");
  EXPECT_EQ(subscription->group, "loggers");
  const Bytes alone_table = write_subscription("a", "");
  const auto alone = read_subscription(alone_table);
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->group, "");
  const Bytes publication_table = write_publication("jobs.eu");
  EXPECT_EQ(publication_table.size() % 4, 0U);
  const auto publication = read_publication(publication_table);
  ASSERT_TRUE(publication);
  ASSERT_EQ(publication->count, 2U);
  EXPECT_EQ(publication->tokens[1], "eu");
  EXPECT_LE(write_subscription(std::string(kTopicBytesMax, 't'), std::string(64, 'g')).size(), kTableBytesMax);
}

TEST(Topic, GroupsAreNames) {
  EXPECT_TRUE(read_subscription(raw_subscription("a", std::string(64, 'g'))));
  EXPECT_FALSE(read_subscription(raw_subscription("a", std::string(65, 'g'))));
  EXPECT_FALSE(read_subscription(raw_subscription("a", "g\n")));
}

TEST(Topic, UnsoundBytesAreRefused) {
  for (const Bytes& bytes : {Bytes{}, Bytes(3), Bytes(64), Bytes(64, std::byte{0xff})}) {
    EXPECT_FALSE(read_subscription(bytes));
    EXPECT_FALSE(read_publication(bytes));
  }
  // A table without the required topic, which the generated builder would refuse to write.
  flatbuffers::FlatBufferBuilder builder;
  const auto start = builder.StartTable();
  builder.Finish(flatbuffers::Offset<fb::Publication>(builder.EndTable(start)));
  EXPECT_FALSE(read_publication(bytes_of(builder)));
  EXPECT_FALSE(read_subscription(bytes_of(builder)));
  Bytes oversized = write_publication("a");
  oversized.resize(kTableBytesMax + 4);
  EXPECT_FALSE(read_publication(oversized));
}

TEST(TopicDeath, WritingBeyondTheLimitsIsACheck) {
  EXPECT_DEATH(write_subscription("a..b", ""), "does not hold");
  EXPECT_DEATH(write_publication("a.*"), "does not hold");
}

}  // namespace
}  // namespace mcplane::wire
