// What events cost. fan_out: an EVENT through one shard, from the PUBLISH's arrival to its leaving, by subscribers and
// payload bytes, shared or copied; frames are taken and made outside the timed sections. match: who gets a topic, by
// how many subscriptions there are that do not match. build: what control does for each change.
#include <benchmark/benchmark.h>

#include <chrono>
#include <string>

#include "support/shard_rig.h"

namespace mcplane::perf {
namespace {

using Clock = std::chrono::steady_clock;

void fan_out(benchmark::State& state) {
  const auto subscribers = static_cast<std::uint32_t>(state.range(0));
  testing::RigOptions options;
  options.sessions = subscribers + 1;
  options.buffers = 8'192;
  options.shard.client_slots = options.sessions;
  options.shard.without_tails[0] = state.range(2) != 0;
  testing::ShardRig rig(options);
  for (std::uint32_t i = 0; i < subscribers; ++i)
    rig.subscriptions[{rig.add_client({.slots = 1}).session.index(), 1}] = {"jobs.*.done", ""};
  const testing::Peer& publisher = rig.add_client({.slots = 1});
  rig.publish_topics();
  rig.settle();
  const std::string payload(static_cast<std::size_t>(state.range(1)), 'x');
  const testing::Bytes frame = build_frame(rig.publish_spec(publisher, "jobs.eu.done", payload));
  for ([[maybe_unused]] auto unused : state) {
    // As many as make at least one loop's worth of events.
    for (std::uint32_t sent = 0; sent < dataplane::kEventsPerLoop && sent < 32; sent += subscribers)
      rig.inject({}, frame);
    const auto began = Clock::now();
    while (rig.step()) {
    }
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - began).count());
    std::array<net::Packet, 64> packets;
    while (const std::size_t count = rig.nic().take_sent(packets)) rig.nic().free(std::span(packets).first(count));
  }
  const std::uint64_t events = rig.counters().events_sent.read();
  if (events < static_cast<std::uint64_t>(state.iterations()) * subscribers ||
      rig.counters().events_dropped.read() != 0)
    return state.SkipWithError("not every subscriber got every event");
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
}

state::TopicTree make_tree(std::uint32_t subscriptions) {
  state::TopicTree tree({1, 2});
  constexpr std::uint32_t kOfSession = 64;
  for (std::uint32_t i = 0; i < subscriptions; ++i) {
    state::SessionRecord record;
    record.id = SessionId::make(i / kOfSession, 1);
    if (i % kOfSession == 0) tree.add_subscriber(record);
    tree.add("jobs." + std::to_string(i / 16) + "." + std::to_string(i % 16), "", {record.id, i});
  }
  return tree;
}

void match(benchmark::State& state) {
  const auto subscriptions = static_cast<std::uint32_t>(state.range(0));
  const state::TopicTree tree = make_tree(subscriptions);
  const std::string text = "jobs." + std::to_string(subscriptions / 32) + ".7";
  const auto topic = wire::split_topic(text);
  std::size_t matched = 0;
  for ([[maybe_unused]] auto unused : state)
    tree.match(*topic, [&matched](const state::TopicTree::Node& node) { matched += node.each.size(); });
  if (matched != static_cast<std::size_t>(state.iterations()))
    state.SkipWithError("not exactly one subscription matched");
}

void build(benchmark::State& state) {
  for ([[maybe_unused]] auto unused : state)
    benchmark::DoNotOptimize(make_tree(static_cast<std::uint32_t>(state.range(0))));
}

BENCHMARK(fan_out)
    ->ArgNames({"subscribers", "payload", "copied"})
    ->ArgsProduct({{1, 10, 1'000}, {64, 256, 1'200}, {0, 1}})
    ->UseManualTime();
BENCHMARK(match)->ArgName("subscriptions")->Arg(64)->Arg(1'024)->Arg(65'536);
BENCHMARK(build)->ArgName("subscriptions")->Arg(1'024)->Arg(65'536)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
