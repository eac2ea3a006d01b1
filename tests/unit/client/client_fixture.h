// A client engine that is registered, and a broker's side of it written by hand.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "client/client_engine.h"
#include "unit/client/harness.h"

namespace mcplane::client {

class ClientEngineTest : public testing::Test {
 protected:
  ClientEngineTest() {
    table_ = wire::write_route_table("generate", "", {}, "");
    payload_ = wire::write_task_payload({.prompt = "hi", .history = {}, .parameters = {}});
    answer_ = wire::write_answer("hello");
    engine_.start(now_, out_);
    register_with(life_);
  }

  void receive(const Frame& frame) { receive(frame, shard_of(life_)); }
  void receive(const Frame& frame, const wire::Endpoint& from) {
    engine_.on_datagram(frame.bytes(), from, now_, out_, done_);
  }
  void register_with(const Life& life) {
    receive(test::retry(++cookies_, life), kBroker);
    receive(test::welcome(life), kBroker);
    out_.clear();
  }
  // The session is lost and another, or the same, comes after it.
  void register_again(const Life& life) {
    receive(test::unknown_session(life_));
    ASSERT_EQ(engine_.session().state(), SessionState::kWaiting);
    now_ = std::max(now_, engine_.session().next_timer_ns());
    engine_.on_timer(now_, out_, done_);
    life_ = life;
    register_with(life);
    ASSERT_TRUE(engine_.session().registered());
  }
  SendRequest request(std::uint64_t context, std::uint32_t ttl_ms = 10'000) const {
    SendRequest request;
    request.context = context;
    request.task_id.fill(static_cast<std::uint8_t>(context));
    request.ttl_ms = ttl_ms;
    request.table = table_;
    request.payload = payload_;
    return request;
  }
  Frame send(std::uint64_t context, std::uint32_t ttl_ms = 10'000) {
    EXPECT_EQ(engine_.send(request(context, ttl_ms), now_, out_), SendStatus::kSent);
    return take_one(out_, FrameType::Send).frame;
  }
  Frame send_idempotent(std::uint64_t context, std::uint32_t ttl_ms = 10'000) {
    SendRequest task = request(context, ttl_ms);
    task.flags = raw(wire::Flag::Idempotent);
    EXPECT_EQ(engine_.send(task, now_, out_), SendStatus::kSent);
    return take_one(out_, FrameType::Send).frame;
  }
  // Time passes in steps of timers, and the broker stays alive. What the engine sent, PINGs aside, and when.
  std::vector<Sent> pass_until(std::uint64_t until) {
    std::vector<Sent> all;
    while (engine_.next_timer_ns() <= until) {
      now_ = std::max(now_, engine_.next_timer_ns());
      engine_.on_timer(now_, out_, done_);
      receive(test::pong(life_, 0));
      for (auto& sent : take_sent(out_)) {
        sent.at_ns = now_;
        if (sent.header().type() != FrameType::Ping) all.push_back(std::move(sent));
      }
    }
    now_ = until;
    return all;
  }
  // A round trip of nothing is measured: the PTO is as short as it gets.
  void measure() {
    pass_until(now_ + 1'000 * kMs - 1);
    now_ += 1;
    engine_.on_timer(now_, out_, done_);
    receive(test::pong(life_, take_one(out_, FrameType::Ping).header().sequence()));
    ASSERT_EQ(engine_.session().pto_ns(), wire::kPtoMinNs);
  }
  std::vector<Completion> take_done() { return std::exchange(done_, {}); }

  Life life_;
  std::uint64_t now_ = kStart;
  std::uint32_t cookies_ = 0;
  Outbox out_;
  std::vector<Completion> done_;
  std::vector<std::byte> table_, payload_, answer_;
  ClientEngine engine_{kBroker, client_hello(4), kMtuBytes, Random(1)};
};

}  // namespace mcplane::client
