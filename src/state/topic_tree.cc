// See topic_tree.h.
#include "state/topic_tree.h"

#include "base/check.h"

namespace mcplane::state {

void TopicTree::add_subscriber(const SessionRecord& record) {
  if (record.id.index() >= places_.size()) places_.resize(record.id.index() + std::size_t{1}, kNoPlace);
  CHECK(places_[record.id.index()] == kNoPlace);
  places_[record.id.index()] = static_cast<std::uint32_t>(subscribers_.size());
  subscribers_.push_back(record);
}

void TopicTree::add(std::string_view pattern, std::string_view group, Subscription subscription) {
  const auto tokens = wire::split_pattern(pattern);
  CHECK(tokens.has_value());
  std::uint32_t at = 0;
  for (const std::string_view token : tokens->list()) at = child_of(at, token);
  Node& node = nodes_[at];
  if (group.empty()) {
    node.each.push_back(subscription);
    return;
  }
  // A space is in no pattern, so that no other pair has the same text.
  const std::uint64_t key = hash_of(std::string(pattern) + ' ' + std::string(group));
  const auto [place, added] = group_places_.try_emplace(key, node.groups.size());
  if (added) node.groups.push_back({.key = key, .members = {}});
  node.groups[place->second].members.push_back(subscription);
}

std::uint32_t TopicTree::new_node() {
  nodes_.emplace_back();
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

std::uint32_t TopicTree::child_of(std::uint32_t parent, std::string_view token) {
  if (token == wire::kAnyToken || token == wire::kAnyTokens) {
    const auto way = token == wire::kAnyToken ? &Node::any_token : &Node::any_tokens;
    // The nodes move when one is added.
    if (nodes_[parent].*way == 0) {
      const std::uint32_t added = new_node();
      nodes_[parent].*way = added;
    }
    return nodes_[parent].*way;
  }
  const EdgeView edge{parent, hash_of(token), token};
  if (const std::uint32_t known = find_child(edge); known != 0) return known;
  return children_.emplace(Edge{parent, edge.hash, std::string(token)}, new_node()).first->second;
}

}  // namespace mcplane::state
