// A worker engine that is registered, and a broker's side of it written by hand.
#pragma once

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "client/worker_engine.h"
#include "unit/client/engine_fixture.h"

namespace mcplane::client {

using test::Attempt;

class WorkerEngineTest : public EngineTest<WorkerEngine, Assignment> {
 protected:
  WorkerEngineTest() : EngineTest(worker_hello(2)) {
    const std::vector<std::string> tags = {"gpu"};
    table_ = wire::write_route_table("generate", "m", tags, "my task");
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
  // Every shard has answered at once: the PTO is as short as it gets.
  void measure() {
    while (engine_.next_timer_ns() <= now_) run_timers();
    for (const auto& sent : take_sent(out_)) receive(test::pong(life_, sent.header().sequence()));
    ASSERT_EQ(engine_.session().pto_ns(), wire::kPtoMinNs);
  }

  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint8_t>, std::uint32_t> numbers_;
  std::uint32_t next_number_ = 1;
  std::vector<Assignment>& assigned_ = events_;
};

}  // namespace mcplane::client
