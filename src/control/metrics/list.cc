// See list.h.
#include "control/metrics/list.h"

#include <nlohmann/json.hpp>

namespace mcplane::control {
namespace {

std::string as_utf8(std::string_view text) {
  const std::string sound = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(sound).get<std::string>();
}

}  // namespace

MetricList::Family& MetricList::Family::add_value(Labels labels, double value) {
  prometheus::ClientMetric& metric = family_->metric.emplace_back();
  for (const auto& [name, text] : labels) metric.label.push_back({std::string(name), as_utf8(text)});
  (family_->type == Type::Counter ? metric.counter.value : metric.gauge.value) = value;
  return *this;
}

MetricList::Family& MetricList::Family::add(prometheus::ClientMetric::Histogram histogram) {
  family_->metric.emplace_back().histogram = std::move(histogram);
  return *this;
}

MetricList::Family MetricList::begin(std::string_view name, std::string_view help, Type type) {
  return Family(families_.emplace_back(prometheus::MetricFamily{std::string(name), std::string(help), type, {}}));
}

}  // namespace mcplane::control
