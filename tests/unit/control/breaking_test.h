// The fixture of the tests of breakers and gates: what cores would tell, and how they would obey.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control_fixture.h"

namespace mcplane::control {

class BreakingTest : public ControlTest {
 protected:
  static constexpr WorkerId kFirst{0};

  Settings settings;  // before start_with()

  // So many workers of one pool.
  void start_with(std::uint32_t workers, std::uint32_t shards = 1, std::vector<std::string> actions = {"generate"}) {
    settings.breaker.open_ns = 30 * kNsPerMs;
    settings.breaker.open_max_ns = 70 * kNsPerMs;
    settings.breaker.jitter = 0;
    options.config.settings = std::make_shared<const Settings>(settings);
    start(shards);
    for (std::uint16_t i = 0; i < workers; ++i)
      ids.push_back(join_worker(worker_hello(static_cast<std::uint16_t>(1'000 + i), 1, actions)));
    for (std::size_t shard = 0; shard < shards; ++shard) obey(shard);
  }
  void fail(WorkerId worker, std::uint32_t times, std::size_t shard = 0) {
    for (; times > 0; --times) shared->shards[shard]->outcomes.add_failure(worker);
  }
  void succeed(WorkerId worker, std::uint32_t times, std::size_t shard = 0) {
    for (; times > 0; --times) shared->shards[shard]->outcomes.add_success(worker);
  }
  void probe_succeeds(WorkerId worker) { shared->shards[0]->outcomes.add_probe(worker); }
  BreakerState state_of(WorkerId worker) { return control->breakers()[worker].state(); }
  std::uint32_t admitting() { return routes().pool(0).load->admitting.load(); }

  std::vector<SessionId> ids;
};

}  // namespace mcplane::control
