// A row a selector that some core has seen; besides, one for each route that is configured and each action that is
// offered, of which none has been. Who waits, only cores know; all else is control's own.
#include "control/reports/route_report.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "control/reports/json_line.h"
#include "control/reports/selectors.h"

namespace mcplane::control {
namespace {

using Json = nlohmann::ordered_json;
using Waiting = std::array<std::uint64_t, wire::kPriorities>;
using Rows = std::map<Wanted, Waiting>;

bool has_row(const Rows& rows, const std::string& action, const std::string& model) {
  return std::ranges::any_of(
      rows, [&](const auto& row) { return row.first.action == action && (model.empty() || row.first.model == model); });
}

Rows rows_of(const Control& control, const Found& found) {
  Rows rows;
  for (const state::RouteCopy& copy : found.routes)
    if (const auto wanted = read_selector(copy.selector))
      for (std::size_t i = 0; i < copy.waiting.size(); ++i) rows[*wanted][i] += copy.waiting[i];
  Rows silent;
  for (const RouteSettings& route : control.settings()->routes)
    if (!has_row(rows, route.action, route.model)) silent[{.action = route.action, .model = route.model, .tags = {}}];
  control.pools().for_each([&](const Pool& pool) {
    for (const std::string& action : pool.set->actions)
      if (!has_row(rows, action, "") && !has_row(silent, action, ""))
        silent[{.shadow = pool.set->shadow, .action = action, .model = {}, .tags = {}}];
  });
  rows.merge(silent);
  return rows;
}

// Workers of a pool by what their breakers, for this action too, let them have.
struct Workers {
  std::uint32_t in = 0, on_trial = 0, out = 0, slots = 0, in_flight = 0;

  void add(const Pool& pool, const std::string& action) noexcept {
    Pool::Ejected left_out = pool.whole;
    if (const auto skill = std::ranges::find(pool.set->actions, action); skill != pool.set->actions.end()) {
      const Pool::Ejected& alone = pool.skills[static_cast<std::size_t>(skill - pool.set->actions.begin())];
      left_out.out += alone.out;
      left_out.shut += alone.shut;
    }
    in += static_cast<std::uint32_t>(pool.up.size()) - left_out.out;
    on_trial += left_out.out - left_out.shut;
    out += left_out.shut;
    slots += pool.load->slots.load(std::memory_order_relaxed);
    in_flight += pool.load->held.load(std::memory_order_relaxed);
  }
};

Json json_of(const Workers& workers) {
  return {{"in", workers.in},
          {"on_trial", workers.on_trial},
          {"out", workers.out},
          {"slots", workers.slots},
          {"in_flight", workers.in_flight}};
}

Json limits_json(const Control& control, const state::RouteRule& rule, const RouteSettings* settings) {
  if (settings == nullptr || !rule.limit.any()) return {};
  const std::uint32_t open = control.shared().limits[rule.shared_limit].open.load(std::memory_order_relaxed);
  return {{"tasks_per_s", settings->limits.tasks_per_s},
          {"burst", settings->limits.burst},
          {"concurrency", settings->limits.concurrency},
          {"open", open}};
}

Json degrade_json(const Control& control, const RouteSettings* settings) {
  if (settings == nullptr) return {};
  for (const DegradableRoute& route : control.degradations().routes())
    if (name_of(route.settings) == name_of(*settings))
      return {{"chain", chain_text(route.settings.degrade.chain)},
              {"when", name_of(route.when())},
              {"degraded", !route.why.empty()},
              {"why", route.why}};
  return {};
}

// "*" is no action of anybody's: its row shows what all that is left to it have.
std::vector<const Pool*> serving(const Control& control, const Wanted& wanted) {
  const state::RouteSnapshot& snapshot = *control.shared().routes.read();
  std::vector<const Pool*> pools;
  const auto numbers = pools_of(snapshot, wanted);
  control.pools().for_each([&](const Pool& pool) {
    const bool there =
        std::ranges::any_of(numbers, [&](std::uint32_t number) { return snapshot.pool(number).load == pool.load; });
    if (there || (wanted.action == "*" && !pool.set->shadow)) pools.push_back(&pool);
  });
  return pools;
}

Json row_json(const Control& control, const Wanted& wanted, const Waiting& waiting) {
  const RouteSettings* const settings = settings_for(control.settings()->routes, wanted);
  const state::RouteRule rule = control.shared().routes.read()->rule_of(wanted.action, wanted.model);
  Workers all;
  Json pools = Json::array();
  for (const Pool* const pool : serving(control, wanted)) {
    Workers workers;
    workers.add(*pool, wanted.action);
    all.add(*pool, wanted.action);
    Json json = json_of(workers);
    json["actions"] = pool->set->actions;
    json["models"] = pool->set->models;
    json["tags"] = pool->set->tags;
    pools.push_back(json);
  }
  return {{"action", wanted.action},
          {"model", wanted.model},
          {"tags", wanted.tags},
          {"shadow", wanted.shadow},
          {"configured", settings != nullptr ? Json(name_of(*settings)) : Json(nullptr)},
          {"policy", state::kPolicyNames[raw(rule.policy)]},
          {"workers", json_of(all)},
          {"waiting", waiting},
          {"limits", limits_json(control, rule, settings)},
          {"degrade", degrade_json(control, settings)},
          {"pools", pools}};
}

}  // namespace

std::string routes_json(const Control& control, const Found& found) {
  Json routes = Json::array();
  for (const auto& [wanted, waiting] : rows_of(control, found)) routes.push_back(row_json(control, wanted, waiting));
  const Json answer = {{"routes", routes}};
  return json_line(answer);
}

}  // namespace mcplane::control
