// Workers, their breakers, and the routes that need them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "control/metrics/metrics.h"

namespace mcplane::control {
namespace {

struct NamedWorker {
  std::string label;
  const Session* session;
};

// Workers that are up, by the names they gave themselves; who shares a name, or has none, is told by its node id.
std::vector<NamedWorker> named_workers(const Control& control) {
  std::vector<NamedWorker> workers;
  std::map<std::string_view, std::size_t> of_name;
  for (const std::uint32_t index : control.registry().live()) {
    const Session& session = control.registry().at(index);
    if (!session.is_worker() || session.phase != Phase::kUp) continue;
    workers.push_back({session.hello.name, &session});
    ++of_name[session.hello.name];
  }
  for (NamedWorker& worker : workers) {
    const std::string node = fmt::format("{:08x}", worker.session->id.value);
    if (worker.label.empty())
      worker.label = node;
    else if (of_name[worker.session->hello.name] > 1)
      worker.label += "/" + node;
  }
  std::ranges::sort(workers, {}, &NamedWorker::label);
  return workers;
}

void add_workers(const Control& control, MetricList& list) {
  const std::vector<NamedWorker> workers = named_workers(control);
  auto inflight = list.gauge("mcplane_worker_inflight_tasks", "Tasks that the worker has.");
  for (const auto& [label, session] : workers)
    inflight.add({{"worker", label}}, control.shared().workers[session->worker].outstanding());
  auto slots = list.gauge("mcplane_worker_slots", "Tasks that the worker takes at once.");
  for (const auto& [label, session] : workers) slots.add({{"worker", label}}, session->hello.slots);
  auto breakers = list.gauge("mcplane_breaker_state", "1 for the state that the worker's breaker is in, else 0.");
  for (const auto& [label, session] : workers)
    for (const BreakerState state : {BreakerState::kClosed, BreakerState::kOpen, BreakerState::kHalfOpen})
      breakers.add({{"worker", label}, {"state", name_of(state)}},
                   control.breakers()[{session->worker}].state() == state ? 1 : 0);
}

// Of every action that has books, and every route that is configured.
void add_routes(const Control& control, MetricList& list) {
  auto unserved = list.gauge("mcplane_route_without_workers", "1 while no worker is in that takes the route's tasks.");
  const auto add = [&](const std::string& action, const std::string& model) {
    const bool served = control.pools().presence(action, model) < Presence::kOut;
    unserved.add({{"action", action}, {"model", model}}, served ? 0 : 1);
  };
  for (const std::string& action : control.pools().actions()) add(action, "");
  for (const RouteSettings& route : control.settings()->routes)
    if (!route.model.empty()) add(route.action, route.model);
  auto degraded = list.gauge("mcplane_route_degraded", "1 while something stands in for the workers of the route.");
  for (const DegradableRoute& route : control.degradations().routes())
    degraded.add({{"route", name_of(route.settings)}}, route.why.empty() ? 0 : 1);
}

}  // namespace

void add_worker_metrics(const Control& control, MetricList& list) {
  add_workers(control, list);
  add_routes(control, list);
}

}  // namespace mcplane::control
