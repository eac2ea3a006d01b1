// A topic is judged in one walk over its bytes, and split where its tokens are asked for. Matching by pairs is for
// endpoints and tests: the broker has all patterns in one tree (state/topic_tree.h).
#include "wire/topic.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "wire/flat_table.h"
#include "wire/header.h"
#include "wire/route_table.h"
#include "wire/verified_root.h"

namespace mcplane::wire {
namespace {

constexpr std::array<bool, 256> kInToken = [] {
  std::array<bool, 256> in{};
  for (unsigned char c = '!'; c <= '~'; ++c) in[c] = c != '*' && c != '>' && c != '.';
  return in;
}();

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return kInToken[c]; });
}

// Splits at each dot; the tokens may be anything.
std::optional<TopicTokens> split(std::string_view text) noexcept {
  if (text.size() > kTopicBytesMax) return std::nullopt;
  TopicTokens split;
  while (split.count < kTopicTokensMax) {
    const std::size_t dot = text.find('.');
    split.tokens[split.count++] = text.substr(0, dot);
    if (dot == std::string_view::npos) return split;
    text.remove_prefix(dot + 1);
  }
  return std::nullopt;
}

}  // namespace

// What every event costs: each character is looked at once.
bool is_topic(std::string_view text) noexcept {
  if (text.size() > kTopicBytesMax) return false;
  std::size_t tokens = 1;
  bool empty = true;
  for (const char c : text) {
    if (c == '.' ? empty || ++tokens > kTopicTokensMax : !kInToken[static_cast<unsigned char>(c)]) return false;
    empty = c == '.';
  }
  return !empty;
}

std::optional<TopicTokens> split_topic(std::string_view topic) noexcept {
  return is_topic(topic) ? split(topic) : std::nullopt;
}

std::optional<TopicTokens> split_pattern(std::string_view pattern) noexcept {
  const auto tokens = split(pattern);
  if (!tokens) return std::nullopt;
  for (std::size_t i = 0; i < tokens->count; ++i) {
    const std::string_view token = tokens->tokens[i];
    const bool wildcard = token == kAnyToken || (token == kAnyTokens && i + 1 == tokens->count);
    if (!wildcard && !is_token(token)) return std::nullopt;
  }
  return tokens;
}

bool topic_matches(std::string_view pattern, std::string_view topic) noexcept {
  const auto wanted = split_pattern(pattern);
  const auto given = split_topic(topic);
  if (!wanted || !given) return false;
  for (std::size_t i = 0; i < wanted->count; ++i) {
    if (i == given->count) return false;
    if (wanted->tokens[i] == kAnyTokens) return true;
    if (wanted->tokens[i] != kAnyToken && wanted->tokens[i] != given->tokens[i]) return false;
  }
  return wanted->count == given->count;
}

std::optional<SubscriptionView> read_subscription(std::span<const std::byte> table) noexcept {
  const auto* root = verified_root<fb::Subscription>(table, kTableBytesMax, kFlatTablesMax);
  if (root == nullptr) return std::nullopt;
  const SubscriptionView subscription{.topic = view(root->topic()), .group = view(root->group())};
  if (!subscription_within_limits(subscription.topic, subscription.group)) return std::nullopt;
  return subscription;
}

std::optional<std::string_view> read_topic(std::span<const std::byte> table) noexcept {
  const auto* root = verified_root<fb::Publication>(table, kTableBytesMax, kFlatTablesMax);
  if (root == nullptr) return std::nullopt;
  const std::string_view topic = view(root->topic());
  return is_topic(topic) ? std::optional(topic) : std::nullopt;
}

std::optional<TopicTokens> read_publication(std::span<const std::byte> table) noexcept {
  const auto topic = read_topic(table);
  return topic ? split(*topic) : std::nullopt;
}

bool subscription_within_limits(std::string_view topic, std::string_view group) noexcept {
  return is_pattern(topic) && is_label(group);
}

std::vector<std::byte> write_subscription(std::string_view topic, std::string_view group) {
  CHECK(subscription_within_limits(topic, group));
  flatbuffers::FlatBufferBuilder builder(kTableBytesMax);
  const auto topic_at = builder.CreateString(topic);
  const auto group_at = optional_string(builder, group);
  builder.Finish(fb::CreateSubscription(builder, topic_at, group_at));
  return finished_table(builder);
}

std::vector<std::byte> write_publication(std::string_view topic) {
  CHECK(is_topic(topic));
  flatbuffers::FlatBufferBuilder builder(kTableBytesMax);
  const auto topic_at = builder.CreateString(topic);
  builder.Finish(fb::CreatePublication(builder, topic_at));
  return finished_table(builder);
}

}  // namespace mcplane::wire
