// See degradation_report.h.
#include "control/reports/degradation_report.h"

#include <nlohmann/json.hpp>

#include "control/reports/json_line.h"

namespace mcplane::control {
namespace {

using Json = nlohmann::ordered_json;

Json route_json(const Control& control, const DegradableRoute& route) {
  Json chain = Json::array();
  for (const wire::Substitute kind : route.settings.degrade.chain) chain.push_back(wire::kSubstituteNames[raw(kind)]);
  return {{"route", name_of(route.settings)},
          {"chain", chain},
          {"when", name_of(route.settings.degrade.when)},
          {"command", route.forced ? Json(*route.forced == DegradeWhen::kAlways ? "on" : "off") : Json(nullptr)},
          {"degraded", !route.why.empty()},
          {"why", route.why},
          {"since_ms", route.since_ns == 0 ? Json(nullptr) : Json((control.now_ns() - route.since_ns) / kNsPerMs)}};
}

}  // namespace

std::string degradation_json(const Control& control) {
  Json routes = Json::array();
  for (const DegradableRoute& route : control.degradations().routes()) routes.push_back(route_json(control, route));
  const Json answer = {{"routes", routes}};
  return json_line(answer);
}

}  // namespace mcplane::control
