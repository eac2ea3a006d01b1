// See subscriptions.h.
#include "client/subscriptions.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "client/outcome.h"
#include "wire/topic.h"

namespace mcplane::client {

namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// Out of its place first: what is called may end the subscription.
void say(SubscribedCallback subscribed, std::string_view refusal) {
  const SubscribedCallback callback = std::move(subscribed);
  if (callback) callback(refusal);
}

}  // namespace

std::vector<std::byte> subscription_table(std::string_view pattern, std::string_view group) {
  if (!wire::is_pattern(pattern))
    throw std::invalid_argument("pattern: " + quoted(pattern) +
                                " wants 1 to 16 tokens with dots between, * for any one, > at the end for the rest");
  if (!group.empty() && !wire::is_name(group))
    throw std::invalid_argument("group: " + quoted(group) + " wants 1 to 64 bytes without control characters");
  return wire::write_subscription(pattern, group);
}

std::vector<std::byte> publication_table(std::string_view topic) {
  if (!wire::is_topic(topic))
    throw std::invalid_argument("topic: " + quoted(topic) + " wants 1 to 16 tokens with dots between, without * and >");
  return wire::write_publication(topic);
}

void throw_too_large(std::string_view topic, std::size_t payload_bytes) {
  throw std::invalid_argument("payload: " + std::to_string(payload_bytes) + " bytes do not fit one frame with topic " +
                              quoted(topic));
}

void Subscriptions::add(std::uint32_t number, EventCallback on_event, SubscribedCallback subscribed) {
  callbacks_[number] = std::make_shared<Callbacks>(Callbacks{std::move(on_event), std::move(subscribed)});
}

void Subscriptions::on_arrival(const Arrival& arrival) const {
  const auto found = callbacks_.find(arrival.subscription);
  if (found == callbacks_.end()) return;
  const auto called = found->second;
  const auto* const payload = reinterpret_cast<const char*>(arrival.payload.data());
  if (called->on_event) called->on_event({arrival.topic, {payload, arrival.payload.size()}});
}

void Subscriptions::on_news(const SubscriptionNews& news) {
  const auto found = callbacks_.find(news.subscription);
  if (found == callbacks_.end()) return;
  SubscribedCallback subscribed = std::exchange(found->second->subscribed, {});
  if (news.reason == wire::Reason::Ok) return say(std::move(subscribed), {});
  callbacks_.erase(found);
  say(std::move(subscribed), reason_word(news.reason));
}

void Subscriptions::end_all(std::string_view refusal) {
  for (const auto& [number, ended] : std::exchange(callbacks_, {})) say(std::move(ended->subscribed), refusal);
}

}  // namespace mcplane::client
