// A worker engine that is registered, and a broker's side of it written by hand.
#pragma once

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "client/worker_engine.h"
#include "unit/client/harness.h"

namespace mcplane::client {

using test::Attempt;

class WorkerEngineTest : public testing::Test {
 protected:
  WorkerEngineTest() {
    const std::vector<std::string> tags = {"gpu"};
    table_ = wire::write_route_table("generate", "m", tags, "my task");
    payload_ = wire::write_task_payload({.prompt = "hi", .history = {}, .parameters = {}});
    answer_ = wire::write_answer("hello");
    engine_.start(now_, out_);
    register_with(life_);
  }

  void receive(const Frame& frame) { receive(frame, shard_of(life_)); }
  void receive(const Frame& frame, const wire::Endpoint& from) {
    engine_.on_datagram(frame.bytes(), from, now_, out_, assigned_);
  }
  void register_with(const Life& life) {
    receive(test::retry(++cookies_, life), kBroker);
    receive(test::welcome(life), kBroker);
    out_.clear();
  }
  // An attempt that names no ROUTE gets the next number, and each time the same.
  Attempt numbered(Attempt attempt) {
    const auto [found, added] =
        numbers_.try_emplace({attempt.token.location, attempt.token.generation, attempt.number}, next_number_);
    if (added) ++next_number_;
    if (attempt.route == 0) attempt.route = found->second;
    return attempt;
  }
  Frame route(const Attempt& attempt) { return test::route(life_, numbered(attempt), table_, payload_); }
  Frame cancel(const Attempt& attempt) { return test::cancel(life_, numbered(attempt)); }
  bool finish(const Attempt& attempt, bool error = false) {
    return engine_.finish(attempt.token, attempt.number, answer_, error, now_, out_);
  }
  // Its RESULT as sent.
  Sent run(const Attempt& attempt) {
    receive(route(attempt));
    EXPECT_TRUE(finish(attempt));
    return take_one(out_, FrameType::Result);
  }
  // Time passes in steps of timers, and the broker stays alive. What the engine sent, PINGs aside, and when.
  std::vector<Sent> pass_until(std::uint64_t until) {
    std::vector<Sent> all;
    while (engine_.next_timer_ns() <= until) {
      now_ = std::max(now_, engine_.next_timer_ns());
      engine_.on_timer(now_, out_);
      receive(test::pong(life_, 0));
      for (auto& sent : take_sent(out_)) {
        sent.at_ns = now_;
        if (sent.header().type() != FrameType::Ping) all.push_back(std::move(sent));
      }
    }
    now_ = until;
    return all;
  }
  // Every shard has answered at once: the PTO is as short as it gets.
  void measure() {
    while (engine_.next_timer_ns() <= now_) engine_.on_timer(now_, out_);
    for (const auto& sent : take_sent(out_)) receive(test::pong(life_, sent.header().sequence()));
    ASSERT_EQ(engine_.session().pto_ns(), wire::kPtoMinNs);
  }

  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint8_t>, std::uint32_t> numbers_;
  std::uint32_t next_number_ = 1;
  Life life_;
  std::uint64_t now_ = kStart;
  std::uint32_t cookies_ = 0;
  Outbox out_;
  std::vector<Assignment> assigned_;
  std::vector<std::byte> table_, payload_, answer_;
  WorkerEngine engine_{kBroker, worker_hello(2), kMtuBytes, Random(1)};
};

}  // namespace mcplane::client
