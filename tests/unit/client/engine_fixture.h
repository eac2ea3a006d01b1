// An engine that is registered, and a broker's side of it written by hand.
#pragma once

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "unit/client/harness.h"

namespace mcplane::client {

// Event: what datagrams bring the engine's owner.
template <typename Engine, typename Event>
class EngineTest : public testing::Test {
 protected:
  explicit EngineTest(const wire::HelloBody& hello) : engine_(kBroker, hello, kMtuBytes, Random(1)) {
    payload_ = wire::write_task_payload({.prompt = "hi", .history = {}, .parameters = {}});
    answer_ = wire::write_answer("hello");
    engine_.start(now_, out_);
    register_with(life_);
  }

  void receive(const Frame& frame) { receive(frame, shard_of(life_)); }
  void receive(const Frame& frame, const wire::Endpoint& from) {
    // What the engine gives points into it.
    engine_.on_datagram(received_.emplace_back(frame).bytes(), from, now_, out_, events_);
  }
  void run_timers() {
    if constexpr (requires { engine_.on_timer(now_, out_, events_); })
      engine_.on_timer(now_, out_, events_);
    else
      engine_.on_timer(now_, out_);
  }
  void register_with(const Life& life) {
    receive(test::retry(++cookies_, life), kBroker);
    receive(test::welcome(life), kBroker);
    out_.clear();
  }
  // Time passes in steps of timers, and the broker stays alive. What the engine sent, PINGs aside, and when.
  std::vector<Sent> pass_until(std::uint64_t until) {
    std::vector<Sent> all;
    while (engine_.next_timer_ns() <= until) {
      now_ = std::max(now_, engine_.next_timer_ns());
      run_timers();
      receive(test::pong(life_, 0));
      for (auto& sent : take_sent(out_)) {
        sent.at_ns = now_;
        if (sent.header().type() != FrameType::Ping) all.push_back(std::move(sent));
      }
    }
    now_ = until;
    return all;
  }

  Life life_;
  std::uint64_t now_ = kStart;
  std::uint32_t cookies_ = 0;
  Outbox out_;
  std::vector<Event> events_;
  std::deque<Frame> received_;
  std::vector<std::byte> table_, payload_, answer_;
  Engine engine_;
};

}  // namespace mcplane::client
