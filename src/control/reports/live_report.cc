// See live_report.h. The first reading has nothing before it: its rates are 0.
#include "control/reports/live_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include "control/reports/autoscale_report.h"

namespace mcplane::control {
namespace {

using Json = nlohmann::ordered_json;
using state::ShardCounters, state::TaskState;

struct NamedDurations {
  const char* name;
  state::Durations state::TaskTimings::*durations;
};
constexpr std::array kDurations = {NamedDurations{"task", &state::TaskTimings::task},
                                   NamedDurations{"queue", &state::TaskTimings::queue},
                                   NamedDurations{"broker", &state::TaskTimings::broker}};

double rounded(double value, double parts) noexcept { return std::round(value * parts) / parts; }

std::uint64_t at_workers(const ShardCounters& counters) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < state::kTaskStates; ++i)
    if (state::is_with_worker(static_cast<TaskState>(i))) sum += counters.in_state[i].read();
  return sum;
}

std::uint64_t waiting(const ShardCounters& counters) noexcept {
  return counters.in_state[raw(TaskState::kQueued)].read();
}

Json degraded_json(const Control& control) {
  Json routes = Json::array();
  for (const DegradableRoute& route : control.degradations().routes())
    if (!route.why.empty())
      routes.push_back({{"route", name_of(route.settings)},
                        {"chain", chain_text(route.settings.degrade.chain)},
                        {"why", route.why}});
  return routes;
}

// Why a worker is out; "" of one that is not, or only stays for want of others.
std::string_view why_out(const Breaker& breaker) {
  if (breaker.held_back()) return "held back: too many of its pool are out";
  return breaker.state() == BreakerState::kClosed ? "" : name_of(breaker.reason());
}

}  // namespace

LiveReport::Reading LiveReport::read(const Control& control, const std::vector<PortState>& ports) {
  Reading now;
  now.at_ns = control.now_ns();
  for (const auto& shard : control.shared().shards) {
    const ShardCounters& counters = shard->counters;
    now.accepted += counters.accepted.read();
    now.delivered += counters.delivered.read();
    now.queued += waiting(counters);
    now.in_flight += at_workers(counters);
    for (const state::Counter& kind : counters.degraded) now.degraded += kind.read();
    // A stranger is refused too, but had no task.
    for (std::size_t i = raw(wire::Reason::UnknownSession) + 1; i < state::kReasons; ++i)
      now.rejected[i] += counters.rejected[i].read();
    for (std::size_t i = 0; i < kDropReasons; ++i) now.drops[i] += counters.dropped[i].read();
    for (std::size_t kind = 0; kind < kDurations.size(); ++kind) {
      const auto& counts = (shard->timings.*kDurations[kind].durations).counts;
      for (std::size_t i = 0; i < counts.size(); ++i) now.durations[kind][i] += counts[i].read();
    }
    now.cores.push_back({counters.accepted.read(), counters.busy_ns.read()});
  }
  for (const PortState& port : ports) now.ports.push_back({port.rx_frames, port.tx_frames});
  return now;
}

double LiveReport::per_s(std::uint64_t after, std::uint64_t before) const noexcept {
  if (before_.at_ns == 0 || now_.at_ns <= before_.at_ns || after < before) return 0;
  const double s = static_cast<double>(now_.at_ns - before_.at_ns) / static_cast<double>(kNsPerSecond);
  return rounded(static_cast<double>(after - before) / s, 10);
}

Json LiveReport::latency_json() const {
  Json json = Json::object();
  for (std::size_t kind = 0; kind < kDurations.size(); ++kind) {
    using Buckets = state::Durations::Buckets;
    Durations counts = now_.durations[kind];
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] -= std::min(counts[i], before_.durations[kind][i]);
    const std::uint64_t total = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    const auto at = [&](double percent) {
      const std::uint64_t ns = Buckets::percentile(counts, total, ~std::uint64_t{0}, percent);
      return rounded(static_cast<double>(ns) / static_cast<double>(kNsPerUs), 10);
    };
    json[kDurations[kind].name] =
        total == 0 ? Json() : Json{{"p50", at(50)}, {"p90", at(90)}, {"p99", at(99)}, {"p999", at(99.9)}};
  }
  return json;
}

Json LiveReport::point() const {
  const auto sum = [](const auto& counts) { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); };
  const Json task = latency_json()["task"];
  const auto at = [&task](const char* name) { return task.is_null() ? Json() : task[name]; };
  return {{"t", rounded(static_cast<double>(now_.at_ns) / static_cast<double>(kNsPerSecond), 1'000)},
          {"delivered", per_s(now_.delivered, before_.delivered)},
          {"rejected", per_s(sum(now_.rejected), sum(before_.rejected))},
          {"p50", at("p50")},
          {"p90", at("p90")},
          {"p99", at("p99")}};
}

// Busy: of the time, what went into loops that found something to do.
Json LiveReport::cores_json(const Control& control) const {
  Json cores = Json::array();
  for (std::size_t i = 0; i < now_.cores.size(); ++i) {
    const Core& after = now_.cores[i];
    const Core before = i < before_.cores.size() ? before_.cores[i] : after;
    const double busy = per_s(after.busy_ns, before.busy_ns) / static_cast<double>(kNsPerSecond);
    const auto& cpus = control.options().cores;
    cores.push_back({{"id", i},
                     {"cpu", i < cpus.size() ? Json(cpus[i]) : Json()},
                     {"busy", rounded(std::min(busy, 1.0), 1'000)},
                     {"accepted", per_s(after.accepted, before.accepted)},
                     {"queued", waiting(control.shared().shards[i]->counters)}});
  }
  return cores;
}

Json LiveReport::ports_json(const Control& control, const std::vector<PortState>& ports) const {
  Json json = Json::array();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const PortState& port = ports[i];
    const Port before = i < before_.ports.size() ? before_.ports[i] : now_.ports[i];
    const auto& names = control.options().port_names;
    json.push_back({{"name", i < names.size() ? names[i] : port.name},
                    {"link", port.link_up ? "up" : "down"},
                    {"frames_in", per_s(port.rx_frames, before.in)},
                    {"frames_out", per_s(port.tx_frames, before.out)},
                    {"lost", port.rx_missed + port.rx_no_buffer + port.rx_errors + port.tx_errors}});
  }
  return json;
}

// Only what occurred.
Json LiveReport::rejected_json() const {
  Json json = Json::array();
  for (std::size_t i = 0; i < now_.rejected.size(); ++i)
    if (now_.rejected[i] > 0)
      json.push_back({{"reason", wire::reason_word(static_cast<wire::Reason>(i))},
                      {"per_s", per_s(now_.rejected[i], before_.rejected[i])},
                      {"total", now_.rejected[i]}});
  return json;
}

Json LiveReport::drops_json() const {
  Json json = Json::array();
  for (std::size_t i = 0; i < kDropReasons; ++i)
    if (now_.drops[i] > 0)
      json.push_back({{"reason", name_of(static_cast<DropReason>(i))},
                      {"per_s", per_s(now_.drops[i], before_.drops[i])},
                      {"total", now_.drops[i]}});
  return json;
}

Json LiveReport::worker_json(const Control& control, const Session& session, Outcomes& outcomes) const {
  std::uint64_t ended = 0;
  const auto& shards = control.shared().shards;
  const bool is_new = outcomes.empty();
  outcomes.resize(shards.size());
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::uint16_t count = shards[i]->outcomes.read(session.worker).count();
    ended += is_new ? 0 : static_cast<std::uint16_t>(count - outcomes[i]);
    outcomes[i] = count;
  }
  const Breaker& breaker = control.breakers()[{session.worker, {}}];
  return {{"node_id", fmt::format("{:08x}", session.id.value)},
          {"name", session.hello.name},
          {"address", wire::to_string(session.path.peer)},
          {"shadow", session.is_shadow()},
          {"state", name_of(session.phase)},
          {"breaker", name_of(breaker.state())},
          {"reason", session.phase == Phase::kUp ? why_out(breaker) : ""},
          {"actions", session.hello.actions},
          {"models", session.hello.models},
          {"tags", session.hello.tags},
          {"slots", session.hello.slots},
          {"outstanding", control.shared().workers[session.worker].outstanding()},
          {"tasks_per_s", per_s(ended, 0)},
          {"age_s", (control.now_ns() - session.registered_ns) / kNsPerSecond}};
}

// Those that are out first, then the most loaded, then as they registered.
Json LiveReport::workers_json(const Control& control) {
  struct Seen {
    const Session* session;
    bool out;
    double load;
  };
  std::vector<Seen> seen;
  std::uint64_t out = 0, slots = 0, outstanding = 0;
  for (const std::uint32_t index : control.registry().live()) {
    const Session& session = control.registry().at(index);
    if (!session.is_worker()) continue;
    const std::uint32_t held = control.shared().workers[session.worker].outstanding();
    const bool is_out = control.breakers()[{session.worker, {}}].state() != BreakerState::kClosed;
    seen.push_back({&session, is_out, static_cast<double>(held) / session.hello.slots});
    out += is_out ? 1 : 0;
    slots += session.hello.slots;
    outstanding += held;
  }
  const std::size_t shown = std::min(seen.size(), kWorkersMax);
  std::ranges::partial_sort(seen, seen.begin() + static_cast<std::ptrdiff_t>(shown), [](const Seen& a, const Seen& b) {
    return std::tuple(!a.out, -a.load, a.session->registered_ns) <
           std::tuple(!b.out, -b.load, b.session->registered_ns);
  });
  const std::uint64_t total = seen.size();
  seen.resize(shown);
  Json list = Json::array();
  std::uint64_t rest_slots = slots, rest_outstanding = outstanding;
  std::unordered_map<std::uint32_t, Outcomes> outcomes;
  for (const Seen& worker : seen) {
    const std::uint32_t id = worker.session->id.value;
    Outcomes& own = outcomes[id] = std::move(outcomes_[id]);
    list.push_back(worker_json(control, *worker.session, own));
    rest_slots -= worker.session->hello.slots;
    rest_outstanding -= list.back()["outstanding"].get<std::uint64_t>();
  }
  outcomes_ = std::move(outcomes);
  return {
      {"total", total}, {"out", out},
      {"slots", slots}, {"outstanding", outstanding},
      {"shown", list},  {"rest", {{"count", total - shown}, {"slots", rest_slots}, {"outstanding", rest_outstanding}}}};
}

std::string LiveReport::next(Control& control, bool whole) {
  std::vector<PortState> ports;
  if (control.options().hooks.ports) ports = control.options().hooks.ports();
  before_ = std::move(now_);
  now_ = read(control, ports);
  ++number_;
  const Json drawn = point();
  points_.push_back(drawn.dump());
  if (points_.size() > kPointsMax) points_.pop_front();
  if (!whole) {
    outcomes_.clear();
    return "";
  }
  control.count_waiting();
  const Json pools = pools_json(control, kPoolsMax);
  const auto pools_of_production =
      std::ranges::count_if(control.pools().all(), [](const auto& entry) { return !entry.first.shadow; });
  const auto trial_ns = control.config().trial_left_ns(control.now_ns());
  const auto ips = [&control] {
    Json list = Json::array();
    for (const auto& port : control.ports())
      for (std::size_t i = 0; i < port.count; ++i) list.push_back(wire::to_string(port.ips[i].ip));
    return list;
  };
  const Json live = {{"number", number_},
                     {"version", control.options().version},
                     {"uptime_s", control.uptime_ns() / kNsPerSecond},
                     {"ips", ips()},
                     {"base_port", control.options().base_port},
                     {"draining", control.draining()},
                     {"generation", control.config().running().number},
                     {"confirm_left_ms", trial_ns ? Json(*trial_ns / kNsPerMs) : Json()},
                     {"pending", control.config().pending().size()},
                     {"clients", control.registry().clients()},
                     {"in_flight", now_.in_flight},
                     {"queued", now_.queued},
                     {"rates",
                      {{"accepted", per_s(now_.accepted, before_.accepted)},
                       {"delivered", drawn["delivered"]},
                       {"rejected", drawn["rejected"]},
                       {"degraded", per_s(now_.degraded, before_.degraded)}}},
                     {"latency_us", latency_json()},
                     {"workers", workers_json(control)},
                     {"pools", pools},
                     {"pools_total", pools_of_production},
                     {"cores", cores_json(control)},
                     {"ports", ports_json(control, ports)},
                     {"rejected", rejected_json()},
                     {"drops", drops_json()},
                     {"degraded", degraded_json(control)},
                     {"point", drawn}};
  return live.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string LiveReport::history() const {
  std::string text = "[";
  for (const std::string& point : points_) text += (text.size() == 1 ? "" : ",") + point;
  return text + "]";
}

}  // namespace mcplane::control
