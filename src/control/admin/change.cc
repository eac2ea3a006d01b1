// See change.h. Each answers with what GET of the same thing says afterwards.
#include "control/admin/change.h"

#include <fmt/core.h>
#include <httplib.h>

#include <optional>
#include <string>
#include <utility>

#include "control/control.h"
#include "control/reports/breaker_report.h"
#include "control/reports/degradation_report.h"
#include "control/reports/perf_report.h"

namespace mcplane::control {
namespace {

// Begins or ends a run of measurements.
Answer measure(Control& control, bool on) {
  control.measure(on);
  return {200, perf_json(control), kJson};
}

// `node` is 8 hexadecimal digits.
Answer force_breaker(Control& control, const std::string& node, BreakerMode mode, const std::string& action) {
  const SessionId worker{static_cast<std::uint32_t>(std::stoul(node, nullptr, 16))};
  const std::string error = control.force_breaker(worker, mode, action);
  if (!error.empty()) return error_answer(404, error);
  control.hear_all();
  return {200, breakers_json(control), kJson};
}

Answer force_degradation(Control& control, const std::string& route, std::optional<DegradeWhen> when) {
  if (control.force_degradation(route, when)) return {200, degradation_json(control), kJson};
  return error_answer(404, fmt::format("no route is named '{}' and has a chain: set degrade in its [[route]]", route));
}

}  // namespace

void serve_changes(httplib::Server& server, const Ask& ask) {
  using httplib::Request, httplib::Response;
  for (const auto& [path, on] : {std::pair{"/v1/perf/on", true}, std::pair{"/v1/perf/off", false}})
    server.Post(path, [ask, on = on](const Request&, Response& response) {
      give(ask([on](Control& control) { return measure(control, on); }), response);
    });

  // The pattern's group is the worker's node id; `action` one of its actions, if not all are meant.
  for (const auto& [verb, mode] :
       {std::pair{"force-open", BreakerMode::kForcedOpen}, std::pair{"force-closed", BreakerMode::kForcedClosed},
        std::pair{"auto", BreakerMode::kAuto}})
    server.Post(fmt::format("/v1/breakers/([0-9a-f]{{8}})/{}", verb),
                [ask, mode = mode](const Request& request, Response& response) {
                  const std::string node = request.matches[1], action = request.get_param_value("action");
                  give(ask([=](Control& control) { return force_breaker(control, node, mode, action); }), response);
                });

  // Names of routes hold what a path may not.
  using When = std::optional<DegradeWhen>;
  for (const auto& [verb, when] : {std::pair{"on", When(DegradeWhen::kAlways)},
                                   std::pair{"off", When(DegradeWhen::kNever)}, std::pair{"auto", When()}})
    server.Post(fmt::format("/v1/degradation/{}", verb),
                [ask, when = when](const Request& request, Response& response) {
                  const std::string route = request.get_param_value("route");
                  give(ask([=](Control& control) { return force_degradation(control, route, when); }), response);
                });
}

}  // namespace mcplane::control
