// Choosing a worker by each policy, as the dataplane does, and giving its slot back: the cost must not grow with the
// number of workers, beyond what a cache misses. Each has 8 slots, four fifths of all are taken; keys and clients are
// random. Arguments: policy (state/policy.h); workers.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "base/random.h"
#include "control/workers/orders.h"
#include "dataplane/worker_choice.h"
#include "support/shard_rig.h"
#include "wire/route_table.h"

namespace mcplane::perf {
namespace {

constexpr std::uint16_t kSlots = 8;
constexpr std::uint32_t kClients = 64;
constexpr std::size_t kSteps = 1'000'000'000;

class Choices {
 public:
  Choices(state::Policy policy, std::uint32_t workers)
      : rig_({.sessions = workers + kClients, .workers = workers, .shard = {.ports = {}}}) {
    std::vector<control::OrderMember> members;
    for (std::uint32_t i = 0; i < workers; ++i) {
      const testing::Peer& peer = rig_.add_worker(kSlots);
      members.push_back({peer.worker, 1, mix64(i)});
    }
    for (std::uint32_t i = 0; i < kClients; ++i) clients_.push_back(rig_.add_client({.slots = 1}).session);
    control::TurnBuilder turns(members);
    turns.step(kSteps);
    rig_.turns = std::make_shared<const state::WorkerOrder>(turns.take());
    control::MaglevBuilder hashed(std::move(members));
    hashed.step(kSteps);
    rig_.hashed = std::make_shared<const state::WorkerOrder>(hashed.take());
    rig_.rule.policy = policy;
    rig_.publish();
    rig_.settle();
    rig_.shard().begin_loop(rig_.now_ns);
    table_ = wire::write_route_table("generate", "llama", {}, "");
    entry_ = rig_.shard().routes.find(*wire::read_route_table(table_), *rig_.shard().snapshot);
    rig_.shard().snapshot->pool(0).load->held.store(workers * kSlots * 4 / 5);
  }
  state::WorkerRef acquire() noexcept {
    wire::set_affinity(header_, static_cast<std::uint32_t>(random_.next() | 1U));
    state::WorkerRef chosen;
    const SessionId client = clients_[random_.below(kClients)];
    if (acquire_worker(rig_.shard(), *entry_, {client, &header_}, chosen) != dataplane::Choice::kFound) chosen = {};
    return chosen;
  }
  void release(const state::WorkerRef& worker) noexcept { rig_.shared.workers.release(worker.id, worker.round); }

 private:
  testing::ShardRig rig_;
  std::vector<SessionId> clients_;
  std::vector<std::byte> table_;
  dataplane::RouteEntry* entry_ = nullptr;
  wire::Header header_;
  Random random_{7};
};

void choose_by_policy(benchmark::State& state) {
  const auto workers = static_cast<std::uint32_t>(state.range(1));
  Choices choices(static_cast<state::Policy>(state.range(0)), workers);
  std::vector<state::WorkerRef> held(std::size_t{workers} * kSlots * 4 / 5);
  for (state::WorkerRef& worker : held) worker = choices.acquire();
  Random random(1);
  for ([[maybe_unused]] auto unused : state) {
    state::WorkerRef& one = held[random.below(static_cast<std::uint32_t>(held.size()))];
    choices.release(one);
    one = choices.acquire();
    if (!one.session) return state.SkipWithError("no worker with room was found");
  }
}

BENCHMARK(choose_by_policy)
    ->ArgNames({"policy", "workers"})
    ->ArgsProduct({benchmark::CreateDenseRange(0, state::kPolicies - 1, 1), {10, 1'000, 64'000}});

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
