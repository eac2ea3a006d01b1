// A client engine that is registered, and a broker's side of it written by hand.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "client/client_engine.h"
#include "unit/client/engine_fixture.h"

namespace mcplane::client {

class ClientEngineTest : public EngineTest<ClientEngine, Completion> {
 protected:
  ClientEngineTest() : EngineTest(client_hello(4)) { table_ = wire::write_route_table("generate", "", {}, ""); }

  // The session is lost and another, or the same, comes after it.
  void register_again(const Life& life) {
    receive(test::unknown_session(life_));
    ASSERT_EQ(engine_.session().state(), SessionState::kWaiting);
    now_ = std::max(now_, engine_.session().next_timer_ns());
    run_timers();
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
  // A round trip of nothing is measured: the PTO is as short as it gets.
  void measure() {
    pass_until(now_ + 1'000 * kMs - 1);
    now_ += 1;
    run_timers();
    receive(test::pong(life_, take_one(out_, FrameType::Ping).header().sequence()));
    ASSERT_EQ(engine_.session().pto_ns(), wire::kPtoMinNs);
  }
  std::vector<Completion> take_done() { return std::exchange(done_, {}); }

  std::vector<Completion>& done_ = events_;
};

}  // namespace mcplane::client
