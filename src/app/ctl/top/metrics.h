// What `mcplane-ctl top` takes of an appliance's GET /metrics: samples of a family in Prometheus' text form, and
// quantiles of what a histogram counted between two looks. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace mcplane::app {

struct MetricSample {
  std::string_view labels;  // between the braces; empty: none
  double value = 0;
};

// In the order of the text; it outlives them. Lines that are no samples are passed over.
std::vector<MetricSample> samples_of(std::string_view metrics, std::string_view name);
// A label's value; empty: there is no such label.
std::string_view label_of(std::string_view labels, std::string_view name);

// Seconds, interpolated within the bucket as Prometheus does. Nothing when nothing was counted between the looks.
std::optional<double> quantile_between(std::string_view before, std::string_view now, std::string_view histogram,
                                       double quantile);

}  // namespace mcplane::app
