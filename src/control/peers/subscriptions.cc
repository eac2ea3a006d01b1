// See subscriptions.h.
#include "control/peers/subscriptions.h"

#include <utility>

namespace mcplane::control {

bool Subscriptions::try_set(SessionId session, std::uint32_t number, std::string_view topic, std::string_view group) {
  Subscription wanted{std::string(topic), std::string(group)};
  const auto owner = by_session_.find(session.value);
  const std::size_t owned = owner != by_session_.end() ? owner->second.size() : 0;
  const bool known = owned > 0 && owner->second.contains(number);
  if (!known && (owned >= kOfSessionMax || size_ >= kMax)) return false;
  Subscription& there = by_session_[session.value][number];
  size_ += known ? 0 : 1;
  // A SUBSCRIBE whose ACK was lost changes nothing.
  if (there == wanted) return true;
  there = std::move(wanted);
  ++version_;
  return true;
}

void Subscriptions::remove(SessionId session, std::uint32_t number) {
  const auto owner = by_session_.find(session.value);
  if (owner == by_session_.end() || owner->second.erase(number) == 0) return;
  if (owner->second.empty()) by_session_.erase(owner);
  --size_;
  ++version_;
}

void Subscriptions::remove_all(SessionId session) {
  const auto owner = by_session_.find(session.value);
  if (owner == by_session_.end()) return;
  size_ -= owner->second.size();
  by_session_.erase(owner);
  ++version_;
}

}  // namespace mcplane::control
