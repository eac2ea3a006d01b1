// See report.h.
#include "control/reports/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

#include "control/cores/shard_sums.h"
#include "control/cores/span_sink.h"
#include "control/reports/json_line.h"

namespace mcplane::control {
namespace {

// Keys in the order they are written.
using Json = nlohmann::ordered_json;

std::string hex8(std::uint32_t value) { return fmt::format("{:08x}", value); }

// `kind` gives the books of one kind of tasks.
template <typename Kind>
Json tasks_json(const state::Shared& shared, Kind kind) {
  using Books = state::TaskCounters;
  const auto sum = [&](auto which) {
    return sum_of(
        shared, [&](const state::ShardCounters& counters) -> auto& { return std::invoke(which, kind(counters)); });
  };
  std::uint64_t rejected = 0;  // a stranger is refused too, but had no task
  for (std::size_t reason = raw(wire::Reason::UnknownSession) + 1; reason < state::kReasons; ++reason)
    rejected += sum([reason](const Books& books) -> auto& { return books.rejected[reason]; });
  Json tasks = {{"accepted", sum(&Books::accepted)},
                {"delivered", sum(&Books::delivered)},
                {"rejected", rejected},
                {"expired_unrouted", sum(&Books::expired_unrouted)},
                {"expired_routed", sum(&Books::expired_routed)},
                {"worker_lost", sum(&Books::worker_lost)},
                {"client_lost", sum(&Books::client_lost)},
                {"cancelled", sum(&Books::cancelled)},
                {"rejected_late", sum(&Books::rejected_late)},
                {"degraded_late", sum(&Books::degraded_late)},
                {"failed_over", sum(&Books::failed_over)}};
  for (std::size_t i = 1; i < state::kTaskStates; ++i)
    tasks[std::string(state::kTaskStateNames[i])] = sum([i](const Books& books) -> auto& { return books.in_state[i]; });
  return tasks;
}

// Answers that stood in, by what they were; `read` gives the count of a kind.
template <typename Read>
Json degraded_json(Read read) {
  Json degraded = Json::object();
  for (std::size_t kind = 1; kind < wire::kSubstitutes; ++kind)
    degraded[std::string(wire::kSubstituteNames[kind])] = read(kind);
  return degraded;
}

Json degraded_json(const state::Shared& shared) {
  return degraded_json([&shared](std::size_t kind) {
    return sum_of(
        shared, [kind](const state::ShardCounters& counters) -> auto& { return counters.degraded[kind]; });
  });
}

Json mirror_json(const state::Shared& shared) {
  using Counters = state::ShardCounters;
  const auto sum = [&shared](auto which) { return sum_of(shared, which); };
  std::uint64_t under_way = 0;
  for (const auto& shard : shared.shards) under_way += shard->counters.mirror.open_tasks();
  return {{"copied", sum([](const Counters& counters) -> auto& { return counters.mirror.accepted; })},
          {"answered", sum([](const Counters& counters) -> auto& { return counters.mirror.delivered; })},
          {"expired", sum([](const Counters& counters) -> auto& { return counters.mirror.expired_routed; })},
          {"lost", sum([](const Counters& counters) -> auto& { return counters.mirror.client_lost; })},
          {"under_way", under_way},
          {"no_worker", sum(&Counters::mirror_no_worker)},
          {"over_cap", sum(&Counters::mirror_over_cap)},
          {"no_buffer", sum(&Counters::mirror_no_buffer)}};
}

Json frames_json(const state::Shared& shared) {
  using Counters = state::ShardCounters;
  return {{"received", sum_of(shared, &Counters::received)},
          {"forwarded", sum_of(shared, &Counters::forwarded)},
          {"punted", sum_of(shared, &Counters::punted)},
          {"completed", sum_of(shared, &Counters::completed)},
          {"handed_off", sum_of(shared, &Counters::handed_off)},
          {"sent", sum_of(shared, &Counters::sent)},
          {"sent_dropped", sum_of(shared, &Counters::sent_dropped)},
          {"relayed", sum_of(shared, &Counters::relayed)},
          {"no_buffer", sum_of(shared, &Counters::no_buffer)},
          {"acks_sent", sum_of(shared, &Counters::acks_sent)},
          {"resends", sum_of(shared, &Counters::resends)},
          {"repeated", sum_of(shared, &Counters::repeated)}};
}

// Only the reasons that occurred.
Json drops_json(const state::Shared& shared) {
  Json drops = Json::object();
  for (std::size_t reason = 0; reason < kDropReasons; ++reason) {
    const std::uint64_t sum = sum_of(
        shared, [reason](const state::ShardCounters& counters) -> auto& { return counters.dropped[reason]; });
    if (sum > 0) drops[std::string(name_of(static_cast<DropReason>(reason)))] = sum;
  }
  return drops;
}

std::string_view service_name(wire::Service service) {
  switch (service) {
    case wire::Service::kClient:
      return "client";
    case wire::Service::kWorker:
    case wire::Service::kShadowWorker:
      return "worker";
    case wire::Service::kBoth:
    case wire::Service::kShadowBoth:
      return "both";
  }
  return "";
}

Json ips_json(const wire::LocalAddresses& port) {
  Json ips = Json::array();
  for (std::size_t i = 0; i < port.count; ++i) ips.push_back(wire::to_string(port.ips[i].ip));
  return ips;
}

Json ports_json(const Control& control) {
  std::vector<PortState> states;
  if (control.options().hooks.ports) states = control.options().hooks.ports();
  states.resize(control.ports().size());
  if (!control.options().hooks.ports)
    for (std::size_t i = 0; i < states.size(); ++i)
      states[i].link_up = control.links().up(PortId(static_cast<std::uint8_t>(i)));
  Json ports = Json::array();
  for (std::size_t i = 0; i < states.size(); ++i) {
    const auto id = PortId(static_cast<std::uint8_t>(i));
    const PortState& port = states[i];
    ports.push_back({{"name", port.name},
                     {"link", port.link_up ? "up" : "down"},
                     {"queues", port.queues},
                     {"offloads", port.offloads},
                     {"neighbours", control.neighbours().count(id)},
                     {"rx_frames", port.rx_frames},
                     {"tx_frames", port.tx_frames},
                     {"rx_missed", port.rx_missed},
                     {"rx_errors", port.rx_errors},
                     {"tx_errors", port.tx_errors},
                     {"rx_no_buffer", port.rx_no_buffer},
                     {"ips", ips_json(control.ports()[i])}});
  }
  return ports;
}

Json shards_json(const Control& control) {
  const auto& cpus = control.options().cores;
  Json shards = Json::array();
  for (std::size_t i = 0; i < control.shared().shards.size(); ++i) {
    const state::ShardCounters& counters = control.shared().shards[i]->counters;
    shards.push_back(
        {{"id", i},
         {"cpu", i < cpus.size() ? Json(cpus[i]) : Json()},
         {"received", counters.received.read()},
         {"forwarded", counters.forwarded.read()},
         {"handed_off", counters.handed_off.read()},
         {"accepted", counters.accepted.read()},
         {"degraded", degraded_json([&counters](std::size_t kind) { return counters.degraded[kind].read(); })},
         {"loops", counters.loops.read()},
         {"busy_loops", counters.busy_loops.read()},
         {"busy_ms", counters.busy_ns.read() / kNsPerMs},
         {"asleep_ms", counters.asleep_ns.read() / kNsPerMs}});
  }
  return shards;
}

// Null: no worker.
Json probe_json(const Control& control, const Session& session) {
  if (!session.is_worker()) return {};
  Json json = {{"asks", to_string(session.hello.probe)}, {"health", ""}, {"since_ms", 0}, {"said", ""}, {"said_ms", 0}};
  const ProbedHealth* const known = control.probes().find(session.worker);
  if (known == nullptr || session.phase != Phase::kUp) return json;
  json["health"] = name_of(known->health);
  json["since_ms"] = (control.now_ns() - known->since_ns) / kNsPerMs;
  json["said"] = known->said;
  if (!known->said.empty()) json["said_ms"] = (control.now_ns() - known->said_ns) / kNsPerMs;
  return json;
}

Json node_json(const Control& control, const Session& session) {
  std::uint32_t outstanding = 0;
  if (session.is_worker()) outstanding = control.shared().workers[session.worker].outstanding();
  return {{"node_id", hex8(session.id.value)},
          {"service", service_name(session.hello.service)},
          {"shadow", session.is_shadow()},
          {"name", session.hello.name},
          {"address", wire::to_string(session.path.peer)},
          {"state", name_of(session.phase)},
          {"breaker", session.is_worker() ? name_of(control.breakers()[session.worker].state()) : ""},
          {"probe", probe_json(control, session)},
          {"last_seen_ms", (control.now_ns() - session.heard_at_ns) / kNsPerMs},
          {"age_s", (control.now_ns() - session.registered_ns) / kNsPerSecond},
          {"actions", session.hello.actions},
          {"models", session.hello.models},
          {"tags", session.hello.tags},
          {"slots", session.is_worker() ? session.hello.slots : control.options().client_slots},
          {"outstanding", outstanding},
          {"done", session.tally.done()},
          {"failed", session.tally.failed()}};
}

// Counts are by subscriber, over all its subscriptions.
Json subscriber_json(const Control& control, const Session& session, const Subscriptions::OfSession& subscriptions) {
  std::uint64_t sent = 0, dropped = 0;
  for (const auto& shard : control.shared().shards) {
    const state::EventCounts& counts = shard->events[session.id.index()];
    sent += counts.sent.load(std::memory_order_relaxed);
    dropped += counts.dropped.load(std::memory_order_relaxed);
  }
  Json list = Json::array();
  for (const auto& [number, subscription] : subscriptions)
    list.push_back({{"number", number}, {"topic", subscription.topic}, {"group", subscription.group}});
  return {{"node_id", hex8(session.id.value)},
          {"name", session.hello.name},
          {"sent", sent},
          {"dropped", dropped},
          {"subscriptions", list}};
}

// Null: nobody wants them.
Json traces_json(const Control& control) {
  if (control.options().spans == nullptr) return {};
  std::uint64_t dropped = 0;
  for (const auto& shard : control.shared().shards)
    if (shard->spans) dropped += shard->spans->dropped.read();
  const SpanCounts spans = control.options().spans->counts();
  return {{"tasks_dropped", dropped},
          {"spans_exported", spans.exported},
          {"spans_dropped",
           {{"queue_full", spans.dropped_full},
            {"refused", spans.dropped_refused},
            {"unreachable", spans.dropped_unreachable}}}};
}

}  // namespace

std::string info_json(const Control& control) {
  const state::Shared& shared = control.shared();
  const ControlOptions& options = control.options();
  Json ips = Json::array();
  for (const auto& port : control.ports())
    for (const auto& ip : ips_json(port)) ips.push_back(ip);
  const BufferUse buffers = options.hooks.buffers ? options.hooks.buffers() : BufferUse{};
  return json_line({{"version", options.version},
                    {"boot_id", hex8(shared.options.boot_id)},
                    {"uptime_s", control.uptime_ns() / kNsPerSecond},
                    {"ips", ips},
                    {"base_port", options.base_port},
                    {"shards", shared.shards.size()},
                    {"cores", options.cores},
                    {"mtu", options.mtu},
                    {"link_up", control.links().all_up()},
                    {"ports", ports_json(control)},
                    {"sessions",
                     {{"clients", control.registry().clients()},
                      {"workers", control.registry().workers()},
                      {"shadow_workers", control.registry().shadow_workers()}}},
                    {"tasks", tasks_json(
                                  shared, [](const auto& counters) -> const auto& { return counters; })},
                    {"degraded", degraded_json(shared)},
                    {"shadow", tasks_json(
                                   shared, [](const auto& counters) -> const auto& { return counters.shadow; })},
                    {"mirror", mirror_json(shared)},
                    {"frames", frames_json(shared)},
                    {"events",
                     {{"published", sum_of(shared, &state::ShardCounters::published)},
                      {"sent", sum_of(shared, &state::ShardCounters::events_sent)},
                      {"dropped", sum_of(shared, &state::ShardCounters::events_dropped)}}},
                    {"per_shard", shards_json(control)},
                    {"drops", drops_json(shared)},
                    {"traces", traces_json(control)},
                    {"stalls", control.lease_clock().stalls()},
                    {"commands_dropped", control.commands_dropped()},
                    {"buffers", {{"total", buffers.total}, {"free", buffers.free}}},
                    {"memory",
                     {{"task_bytes", options.memory.task_bytes},
                      {"worker_bytes", options.memory.worker_bytes},
                      {"worker_shard_bytes", options.memory.worker_shard_bytes},
                      {"session_shard_bytes", options.memory.session_shard_bytes},
                      {"tables_bytes", options.memory.tables_bytes},
                      {"index_bytes", control.pools().index_bytes()}}}});
}

std::string nodes_json(const Control& control) {
  std::vector<std::uint32_t> indices(control.registry().live().begin(), control.registry().live().end());
  std::ranges::sort(indices);
  Json nodes = Json::array();
  for (const std::uint32_t index : indices) nodes.push_back(node_json(control, control.registry().at(index)));
  return json_line({{"nodes", nodes}});
}

std::string subscriptions_json(const Control& control) {
  Json subscribers = Json::array();
  for (const auto& [id, subscriptions] : control.subscriptions().by_session())
    subscribers.push_back(subscriber_json(control, control.registry().at(SessionId{id}.index()), subscriptions));
  return json_line({{"subscribers", subscribers}});
}

}  // namespace mcplane::control
