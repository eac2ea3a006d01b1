// A contradiction is told at the key that is easier to give up.
#include "app/config/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "app/command_line/units.h"
#include "app/config/keys.h"

namespace mcplane::app {
namespace {

using control::RouteSettings;

class Rules {
 public:
  explicit Rules(const Places& places) : places_(places) {}

  void check_breaker(const control::BreakerSettings& breaker);
  void check_probe(const control::ProbeSettings& probe);
  void check_autoscale(const control::AutoscaleSettings& autoscale);
  void check_client(const control::Limits& limits) { check_limits(limits, "client"); }
  void check_route(const RouteSettings& route, std::size_t at);
  void check_degradation(const RouteSettings& route, const std::string& table);
  void check_order(const std::vector<RouteSettings>& routes);
  void check_number(const std::vector<RouteSettings>& routes);

  std::vector<ConfigMistake> take() { return std::move(mistakes_); }

 private:
  bool has(const std::string& path) const { return places_.set.contains(path); }
  // At the first of the keys concerned that the file sets; not at all when the value of one is a mistake itself.
  void add(std::initializer_list<std::string> paths, const std::string& key, std::string what);
  void check_limits(const control::Limits& limits, const std::string& table);

  const Places& places_;
  std::vector<ConfigMistake> mistakes_;
};

std::string table_name(std::size_t at) { return fmt::format("route[{}]", at); }

void Rules::add(std::initializer_list<std::string> paths, const std::string& key, std::string what) {
  for (const std::string& path : paths)
    if (places_.wrong.contains(path)) return;
  for (const std::string& path : paths)
    if (const auto found = places_.set.find(path); found != places_.set.end()) {
      mistakes_.push_back({found->second, key, std::move(what), ""});
      return;
    }
}

void Rules::check_breaker(const control::BreakerSettings& breaker) {
  if (breaker.outcomes_min > breaker.window)
    add({"breaker.outcomes-min", "breaker.window"}, "breaker.outcomes-min",
        fmt::format("{} outcomes are never in a window of {}; type {} or fewer", breaker.outcomes_min, breaker.window,
                    breaker.window));
  if (breaker.open_ns > breaker.open_max_ns)
    add({"breaker.open", "breaker.open-max"}, "breaker.open",
        fmt::format("{} is longer than open-max, {}; type {} or less", format_duration_ns(breaker.open_ns),
                    format_duration_ns(breaker.open_max_ns), format_duration_ns(breaker.open_max_ns)));
}

void Rules::check_probe(const control::ProbeSettings& probe) {
  if (probe.timeout_ns > probe.interval_ns)
    add({"probe.timeout", "probe.interval"}, "probe.timeout",
        fmt::format("{} is longer than the interval, {}; type {} or less", format_duration_ns(probe.timeout_ns),
                    format_duration_ns(probe.interval_ns), format_duration_ns(probe.interval_ns)));
}

void Rules::check_autoscale(const control::AutoscaleSettings& autoscale) {
  if (autoscale.min > autoscale.max)
    add({"autoscale.min", "autoscale.max"}, "autoscale.min",
        fmt::format("{} is more than max, {}; type {} or fewer", autoscale.min, autoscale.max, autoscale.max));
}

void Rules::check_limits(const control::Limits& limits, const std::string& table) {
  if (limits.burst > 0 && limits.tasks_per_s == 0)
    add({table + ".burst", table + ".rate"}, table.starts_with("route") ? "route.burst" : table + ".burst",
        "limits nothing without a rate; type rate = \"1k/s\" beside it");
}

void Rules::check_route(const RouteSettings& route, std::size_t at) {
  const std::string table = table_name(at);
  if (!has(table + ".action"))
    add({table}, "route.action", "is missing; type action = \"NAME\", or \"*\" for every action");
  check_limits(route.limits, table);
  check_degradation(route, table);
  if (has(table + ".imbalance") && route.policy != state::Policy::kSession && route.policy != state::Policy::kPrefix)
    add({table + ".imbalance", table + ".policy"}, "route.imbalance",
        "is not used; type policy = \"session\" or policy = \"prefix\" beside it");
}

void Rules::check_degradation(const RouteSettings& route, const std::string& table) {
  const control::DegradeSettings& degrade = route.degrade;
  const auto uses = [&](wire::Substitute kind) {
    return std::ranges::find(degrade.chain, kind) != degrade.chain.end();
  };
  const auto needs = [&](const char* key, wire::Substitute kind) {
    if (has(table + "." + key) && !uses(kind))
      add({table + "." + key, table + ".degrade"}, fmt::format("route.{}", key),
          fmt::format("is not used; type degrade = [\"{}\"] beside it", wire::kSubstituteNames[raw(kind)]));
  };
  needs("reply", wire::Substitute::Reply);
  needs("cache-ttl", wire::Substitute::Cached);
  needs("fallback-action", wire::Substitute::Fallback);
  needs("fallback-model", wire::Substitute::Fallback);
  if (has(table + ".degrade-when") && !has(table + ".degrade"))
    add({table + ".degrade-when"}, "route.degrade-when",
        "is not used; type degrade = [\"reply\"] beside it, or another");
  if (uses(wire::Substitute::Reply) && degrade.reply.empty())
    add({table + ".degrade", table + ".reply"}, "route.degrade",
        "has reply and no text; type reply = \"TEXT\" beside it");
  // Of the route's own workers, none of whom is in.
  const bool same_action = degrade.fallback_action.empty() || degrade.fallback_action == route.action;
  const bool same_model = degrade.fallback_model.empty() || degrade.fallback_model == route.model;
  if (uses(wire::Substitute::Fallback) && same_action && same_model)
    add({table + ".degrade", table + ".fallback-action", table + ".fallback-model"}, "route.degrade",
        "has fallback and no other workers; type fallback-action = \"NAME\" or fallback-model = \"NAME\" beside it");
  const auto last = [](wire::Substitute kind) {
    return kind == wire::Substitute::Reply || kind == wire::Substitute::Skip;
  };
  for (std::size_t i = 0; i + 1 < degrade.chain.size(); ++i)
    if (last(degrade.chain[i]))
      return add({table + ".degrade"}, "route.degrade",
                 fmt::format("never comes to {}, {} can always be had; put that last",
                             wire::kSubstituteNames[raw(degrade.chain[i + 1])],
                             wire::kSubstituteNames[raw(degrade.chain[i])]));
}

// Whether `earlier` takes every task of `later`.
bool covers(const RouteSettings& earlier, const RouteSettings& later) {
  return (earlier.action == "*" || earlier.action == later.action) &&
         (earlier.model.empty() || earlier.model == later.model);
}

void Rules::check_order(const std::vector<RouteSettings>& routes) {
  for (std::size_t later = 0; later < routes.size(); ++later)
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (routes[later].action.empty() || !covers(routes[earlier], routes[later])) continue;
      const bool same = name_of(routes[earlier]) == name_of(routes[later]);
      const unsigned line = places_.set.at(table_name(earlier)).line;
      add({table_name(later) + ".action", table_name(later) + ".model", table_name(earlier) + ".action",
           table_name(earlier) + ".model"},
          "route.action",
          same ? fmt::format("{} has a route in line {} already; keep one", quote(name_of(routes[later])), line)
               : fmt::format("{} is never reached, the route of line {} takes its tasks; put it before that one",
                             quote(name_of(routes[later])), line));
      break;
    }
}

void Rules::check_number(const std::vector<RouteSettings>& routes) {
  std::size_t limited = 0;
  for (std::size_t at = 0; at < routes.size(); ++at) {
    if (routes[at].limits == control::Limits{} || ++limited <= control::kLimitedRoutesMax) continue;
    add({table_name(at) + ".rate", table_name(at) + ".concurrency"}, "route.rate",
        fmt::format("is the limit of one route too many; at most {} routes have one", control::kLimitedRoutesMax));
    return;
  }
}

}  // namespace

std::vector<ConfigMistake> contradictions(const control::Settings& settings, const Places& places) {
  Rules rules(places);
  rules.check_breaker(settings.breaker);
  rules.check_probe(settings.probe);
  rules.check_client(settings.client);
  rules.check_autoscale(settings.autoscale);
  for (std::size_t i = 0; i < settings.routes.size(); ++i) rules.check_route(settings.routes[i], i);
  rules.check_order(settings.routes);
  rules.check_number(settings.routes);
  return rules.take();
}

}  // namespace mcplane::app
