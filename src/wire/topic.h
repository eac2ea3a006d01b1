// Topics of events, the patterns that subscriptions match them by, and the tables that carry both. Verified once, at
// ingress; the views point into the frame. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace mcplane::wire {

inline constexpr std::size_t kTopicBytesMax = 255;
inline constexpr std::size_t kTopicTokensMax = 16;
// In a pattern: any one token; one or more, at the end.
inline constexpr std::string_view kAnyToken = "*", kAnyTokens = ">";

// The tokens of a topic or of a pattern, in order.
struct TopicTokens {
  std::array<std::string_view, kTopicTokensMax> tokens;
  std::size_t count = 0;

  std::span<const std::string_view> list() const noexcept { return {tokens.data(), count}; }
  // What was split: there is at least one.
  std::string_view whole() const noexcept { return {tokens[0].begin(), tokens[count - 1].end()}; }
};

// nullopt when it is no topic, or no pattern. Every topic is a pattern too.
std::optional<TopicTokens> split_topic(std::string_view topic) noexcept;
std::optional<TopicTokens> split_pattern(std::string_view pattern) noexcept;
bool is_topic(std::string_view text) noexcept;
inline bool is_pattern(std::string_view text) noexcept { return split_pattern(text).has_value(); }

// Whether an event on `topic` is one that `pattern` asks for; false when either is unsound.
bool topic_matches(std::string_view pattern, std::string_view topic) noexcept;

struct SubscriptionView {
  std::string_view topic;  // a pattern
  std::string_view group;  // a name; empty: in none
};

// nullopt when the bytes are no sound table or break a limit named above.
std::optional<SubscriptionView> read_subscription(std::span<const std::byte> table) noexcept;
// The topic of a PUBLISH, or of the EVENT made from it: whole, or split.
std::optional<std::string_view> read_topic(std::span<const std::byte> table) noexcept;
std::optional<TopicTokens> read_publication(std::span<const std::byte> table) noexcept;

// Whether write_subscription() may be called with these.
bool subscription_within_limits(std::string_view topic, std::string_view group) noexcept;

// As bytes, padded to a multiple of 4. Fields must satisfy the limits above (CHECKed).
std::vector<std::byte> write_subscription(std::string_view topic, std::string_view group);
std::vector<std::byte> write_publication(std::string_view topic);

}  // namespace mcplane::wire
