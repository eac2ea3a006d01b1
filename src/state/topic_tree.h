// Who gets which event, immutable once published: a tree over the tokens of all patterns, and the way to each
// subscriber. A look-up walks the topic's own tokens and the wildcards beside them; subscriptions that do not match
// cost it nothing unless they share a beginning with it.
// The control thread builds and publishes; cores read between two quiescent points (state/rcu.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/siphash.h"
#include "base/types.h"
#include "state/messages.h"
#include "wire/topic.h"

namespace mcplane::state {

class TopicTree {
 public:
  struct Subscription {
    SessionId session;
    std::uint32_t number = 0;  // the session's own
  };
  // Of one pattern: one of them gets each event.
  struct Group {
    std::uint64_t key = 0;  // the same in every tree
    std::vector<Subscription> members;
  };
  struct Node {
    std::uint32_t any_token = 0, any_tokens = 0;  // where * and > lead; 0: nowhere
    std::vector<Subscription> each;
    std::vector<Group> groups;
  };

  // key: peers choose the tokens, which are hashed by it.
  explicit TopicTree(const SipKey& key) : key_(key), nodes_(1) {}

  // Control thread, before publication. A subscriber once; a sound pattern, of a subscriber.
  void add_subscriber(const SessionRecord& record);
  void add(std::string_view pattern, std::string_view group, Subscription subscription);

  // The way to the subscriber; null when the session has no subscription in this tree.
  const SessionRecord* find(SessionId session) const noexcept {
    const std::uint32_t place = session.index() < places_.size() ? places_[session.index()] : kNoPlace;
    return place != kNoPlace && subscribers_[place].id == session ? &subscribers_[place] : nullptr;
  }

  // Calls visit(const Node&) for each node whose subscriptions match. Cost: a hash of each token, a table look-up for
  // each node on the way; at most two ways leave a node. Allocates nothing.
  template <class Visit>
  void match(const wire::TopicTokens& topic, Visit visit) const noexcept {
    struct Step {
      std::uint32_t node;
      std::size_t depth;
    };
    std::array<std::uint64_t, wire::kTopicTokensMax> hashes;
    for (std::size_t i = 0; i < topic.count; ++i) hashes[i] = hash_of(topic.tokens[i]);
    // Each step leaves at most one more than it took.
    std::array<Step, wire::kTopicTokensMax + 1> steps;
    std::size_t count = 0;
    for (steps[count++] = {0, 0}; count > 0;) {
      const auto [at, depth] = steps[--count];
      const Node& node = nodes_[at];
      if (depth == topic.count) {
        visit(node);
        continue;
      }
      if (node.any_tokens != 0) visit(nodes_[node.any_tokens]);
      if (node.any_token != 0) steps[count++] = {node.any_token, depth + 1};
      const std::uint32_t child = find_child({at, hashes[depth], topic.tokens[depth]});
      if (child != 0) steps[count++] = {child, depth + 1};
    }
  }

 private:
  static constexpr std::uint32_t kNoPlace = 0xffffffffU;

  struct EdgeView {
    std::uint32_t parent;
    std::uint64_t hash;
    std::string_view token;
  };
  struct Edge {
    std::uint32_t parent;
    std::uint64_t hash;
    std::string token;
    operator EdgeView() const noexcept { return {parent, hash, token}; }
  };
  struct EdgeHash {
    using is_transparent = void;
    std::size_t operator()(const EdgeView& edge) const noexcept {
      return edge.hash ^ (edge.parent * 0x9e3779b97f4a7c15U);
    }
  };
  struct EdgeEqual {
    using is_transparent = void;
    bool operator()(const EdgeView& a, const EdgeView& b) const noexcept {
      return a.parent == b.parent && a.token == b.token;
    }
  };

  std::uint64_t hash_of(std::string_view text) const noexcept {
    return siphash24(key_, std::as_bytes(std::span(text)));
  }
  std::uint32_t find_child(const EdgeView& edge) const noexcept {
    const auto found = children_.find(edge);
    return found == children_.end() ? 0 : found->second;
  }
  std::uint32_t child_of(std::uint32_t parent, std::string_view token);
  std::uint32_t new_node();

  SipKey key_;
  std::vector<Node> nodes_;  // the root first
  std::unordered_map<Edge, std::uint32_t, EdgeHash, EdgeEqual> children_;
  std::unordered_map<std::uint64_t, std::size_t> group_places_;  // in their nodes, by key
  std::vector<SessionRecord> subscribers_;
  std::vector<std::uint32_t> places_;  // of subscribers, by session index
};

}  // namespace mcplane::state
