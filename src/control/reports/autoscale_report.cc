// See autoscale_report.h.
#include "control/reports/autoscale_report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "control/reports/json_line.h"

namespace mcplane::control {
namespace {

using Json = nlohmann::ordered_json;

Json pool_json(const Control& control, const CapabilitySet& set, const Pool& pool) {
  const AutoscaleSettings& settings = control.settings()->autoscale;
  const std::uint32_t wanted = recommended(pool.census, pool.queued, settings);
  return {{"actions", set.actions},
          {"models", set.models},
          {"tags", set.tags},
          {"workers", pool.census.count()},
          {"ready", pool.census.ready.count},
          {"slots", pool.census.slots()},
          {"in_flight", pool.census.in_flight()},
          {"queued", pool.queued},
          {"utilisation", std::round(utilisation(pool.census, pool.queued) * 1'000) / 1'000},
          {"recommended", wanted},
          {"desired", pool.recommendations.desired(pool.census.count(), wanted, control.now_ns(), settings)}};
}

}  // namespace

Json pools_json(const Control& control, std::size_t most) {
  Json pools = Json::array();
  for (const auto& [set, pool] : control.pools().all())
    if (!set.shadow && pools.size() < most) pools.push_back(pool_json(control, set, *pool));
  return pools;
}

std::string autoscale_json(const Control& control) {
  const AutoscaleSettings& settings = control.settings()->autoscale;
  const Json answer = {{"target", settings.target},
                       {"tolerance", settings.tolerance},
                       {"scale_up_window_s", settings.up_window_ns / kNsPerSecond},
                       {"scale_down_window_s", settings.down_window_ns / kNsPerSecond},
                       {"min", settings.min},
                       {"max", settings.max},
                       {"pools", pools_json(control, control.pools().all().size())}};
  return json_line(answer);
}

}  // namespace mcplane::control
