#include "state/topic_tree.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace mcplane::state {
namespace {

SessionRecord record(std::uint32_t index, std::uint32_t generation = 1) {
  SessionRecord record;
  record.id = SessionId::make(index, generation);
  return record;
}

// Numbers of the subscriptions that match, sorted; groups count as their first member.
std::vector<std::uint32_t> matches(const TopicTree& tree, std::string_view topic) {
  std::vector<std::uint32_t> numbers;
  tree.match(*wire::split_topic(topic), [&](const TopicTree::Node& node) {
    for (const auto& subscription : node.each) numbers.push_back(subscription.number);
    for (const auto& group : node.groups) numbers.push_back(group.members.front().number);
  });
  std::ranges::sort(numbers);
  return numbers;
}
using Numbers = std::vector<std::uint32_t>;

TEST(TopicTree, FindsSubscribersByWholeId) {
  TopicTree tree({});
  tree.add_subscriber(record(5, 2));
  ASSERT_NE(tree.find(SessionId::make(5, 2)), nullptr);
  EXPECT_EQ(tree.find(SessionId::make(5, 2))->id, SessionId::make(5, 2));
  EXPECT_EQ(tree.find(SessionId::make(5, 3)), nullptr) << "the slot's next session";
  EXPECT_EQ(tree.find(SessionId::make(4, 2)), nullptr);
  EXPECT_EQ(tree.find(SessionId::make(1'000'000, 2)), nullptr);
}

TEST(TopicTree, WildcardsStandBesideTokens) {
  TopicTree tree({1, 2});
  const SessionId session = SessionId::make(0, 1);
  tree.add_subscriber(record(0));
  std::uint32_t number = 0;
  for (const char* const pattern : {"a.b", "a.*", "*.b", "a.>", ">", "*", "a.b.c", "*.*.c"})
    tree.add(pattern, "", {session, ++number});
  EXPECT_EQ(matches(tree, "a.b"), (Numbers{1, 2, 3, 4, 5}));
  EXPECT_EQ(matches(tree, "a"), (Numbers{5, 6}));
  EXPECT_EQ(matches(tree, "a.b.c"), (Numbers{4, 5, 7, 8}));
  EXPECT_EQ(matches(tree, "b.c"), (Numbers{5}));
}

TEST(TopicTree, AGroupIsOfOnePattern) {
  TopicTree tree({});
  tree.add_subscriber(record(0));
  const SessionId session = SessionId::make(0, 1);
  tree.add("a.b", "g", {session, 1});
  tree.add("a.b", "g", {session, 2});
  tree.add("a.b", "h", {session, 3});
  tree.add("a.*", "g", {session, 4});
  EXPECT_EQ(matches(tree, "a.b"), (Numbers{1, 3, 4}));
  EXPECT_EQ(matches(tree, "a.c"), (Numbers{4}));
}

TEST(TopicTree, MatchesAsPairsDo) {
  Random random(3);
  const auto any = [&random](std::span<const char* const> tokens, bool tail) {
    std::string text;
    for (std::size_t left = 1 + random.next() % 5; left > 0; --left)
      text += (text.empty() ? "" : ".") + std::string(tokens[random.next() % tokens.size()]);
    return tail && random.next() % 3 == 0 ? text + ".>" : text;
  };
  constexpr std::array<const char*, 3> kTokens = {"a", "b", "*"};
  TopicTree tree({7, 8});
  tree.add_subscriber(record(0));
  std::vector<std::string> patterns;
  for (std::uint32_t i = 0; i < 500; ++i) {
    patterns.push_back(any(kTokens, true));
    tree.add(patterns.back(), "", {SessionId::make(0, 1), i});
  }
  std::size_t matched = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string topic = any(std::span(kTokens).first(2), false);
    Numbers expected;
    for (std::uint32_t j = 0; j < patterns.size(); ++j)
      if (wire::topic_matches(patterns[j], topic)) expected.push_back(j);
    EXPECT_EQ(matches(tree, topic), expected) << topic;
    matched += expected.size();
  }
  EXPECT_GT(matched, 1'000U);
}

TEST(TopicTree, TheDeepestTopicFitsTheWalk) {
  TopicTree tree({});
  tree.add_subscriber(record(0));
  std::string deep = "t", wild = "*";
  for (std::size_t i = 1; i < wire::kTopicTokensMax; ++i) {
    tree.add(deep + ".>", "", {SessionId::make(0, 1), static_cast<std::uint32_t>(i)});
    tree.add(wild + ".>", "", {SessionId::make(0, 1), static_cast<std::uint32_t>(100 + i)});
    deep += ".t";
    wild += ".*";
  }
  tree.add(deep, "", {SessionId::make(0, 1), 50});
  tree.add(wild, "", {SessionId::make(0, 1), 150});
  EXPECT_EQ(matches(tree, deep).size(), 2 * wire::kTopicTokensMax);
}

}  // namespace
}  // namespace mcplane::state
