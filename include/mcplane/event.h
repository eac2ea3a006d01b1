// Publish and subscribe with Client and AsyncClient. Delivery is at most once: an event that is lost is not repeated,
// and missed() counts those that the broker sent and that did not come.
//
//   client.subscribe("agents.*.done", [](const mcplane::Event& event) { ... });
//   client.publish("agents.7.done", "42");
//
// A topic is 1 to 16 tokens with dots between, 255 bytes at most; a token is 1 or more characters from '!' to '~'
// without
// '.', '*' and '>'. In a pattern the token * stands for any one token, and > at the end for one or more.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace mcplane {

// Valid during the callback only: copy what is to be kept.
struct Event {
  std::string_view topic;
  std::string_view payload;  // any bytes
};

// Called for each event, on the thread that receives it. There is no queue of events in between: a callback that takes
// its time holds up the next ones, which wait in the socket's receive buffer and are lost, and counted, beyond it. Hand
// over what takes long.
using EventCallback = std::function<void(const Event&)>;
// Called once: `refusal` is empty when the broker matches the subscription from now on, else it says why not.
using SubscribedCallback = std::function<void(std::string_view refusal)>;

// Names a subscription of one client, and no other one for a long time after.
enum class SubscriptionId : std::uint32_t {};

}  // namespace mcplane
