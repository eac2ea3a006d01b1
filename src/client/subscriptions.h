// The application's side of a client's subscriptions: whom to call for what comes. Callbacks may add and remove
// subscriptions, their own too. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "client/event_engine.h"
#include "mcplane/event.h"

namespace mcplane::client {

// The tables of SUBSCRIBE and PUBLISH. Throw std::invalid_argument, one line that names the value at fault.
std::vector<std::byte> subscription_table(std::string_view pattern, std::string_view group);
std::vector<std::byte> publication_table(std::string_view topic);
// Throws the like for a payload that does not fit one frame.
[[noreturn]] void throw_too_large(std::string_view topic, std::size_t payload_bytes);

class Subscriptions {
 public:
  void add(std::uint32_t number, EventCallback on_event, SubscribedCallback subscribed);
  void remove(std::uint32_t number) { callbacks_.erase(number); }
  void on_arrival(const Arrival& arrival) const;
  void on_news(const SubscriptionNews& news);
  // The client closes: who waits for the broker's word hears `refusal`.
  void end_all(std::string_view refusal);

 private:
  struct Callbacks {
    EventCallback on_event;
    SubscribedCallback subscribed;  // until it was called
  };
  // Shared: one that is being called outlives its removal.
  std::unordered_map<std::uint32_t, std::shared_ptr<Callbacks>> callbacks_;
};

}  // namespace mcplane::client
