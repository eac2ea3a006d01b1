// An AsyncCore's publish and subscribe. See async_core.h.
#include <stdexcept>

#include "client/async_core.h"

namespace mcplane::client {

SubscriptionId AsyncCore::subscribe(std::span<const std::byte> table, EventCallback on_event,
                                    SubscribedCallback subscribed) {
  const std::uint64_t now = now_ns();
  const std::uint32_t number = closed_ ? 0 : engine_.subscribe(table, now, outbox_);
  if (number == 0)
    throw std::runtime_error(closed_ ? "the client is closed"
                                     : "a client has " + std::to_string(EventEngine::kSubscriptionsMax) +
                                           " subscriptions at most");
  subscriptions_.add(number, std::move(on_event), std::move(subscribed));
  loop_.arm(next_timer_ns(now), now);
  return SubscriptionId{number};
}

void AsyncCore::unsubscribe(SubscriptionId id) {
  const std::uint64_t now = now_ns();
  const auto number = static_cast<std::uint32_t>(id);
  subscriptions_.remove(number);
  if (closed_) return;
  engine_.unsubscribe(number, now, outbox_);
  loop_.arm(next_timer_ns(now), now);
}

PublishStatus AsyncCore::publish(std::span<const std::byte> table, std::span<const std::byte> payload) {
  if (closed_) return PublishStatus::kNotRegistered;
  if (outbox_.full()) flush();
  return engine_.publish(table, payload, now_ns(), outbox_);
}

void AsyncCore::hand_out_events() {
  EventEngine* const events = engine_.events();
  if (events == nullptr) return;
  if (const auto arrival = events->take_arrival()) subscriptions_.on_arrival(*arrival);
  if (const auto news = events->take_news()) subscriptions_.on_news(*news);
}

std::uint64_t AsyncCore::missed() const noexcept {
  const EventEngine* const events = engine_.events();
  return events == nullptr ? 0 : events->missed();
}

}  // namespace mcplane::client
