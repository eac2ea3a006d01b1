// See metrics.h.
#include "app/ctl/top/metrics.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <string>

namespace mcplane::app {
namespace {

double number_of(std::string_view text) { return std::strtod(std::string(text).c_str(), nullptr); }

// Counts up to each edge, "+Inf" last.
std::map<double, double> buckets_of(std::string_view metrics, std::string_view histogram) {
  std::map<double, double> buckets;
  for (const MetricSample& sample : samples_of(metrics, std::string(histogram) + "_bucket")) {
    const std::string_view edge = label_of(sample.labels, "le");
    buckets[edge == "+Inf" ? std::numeric_limits<double>::infinity() : number_of(edge)] += sample.value;
  }
  return buckets;
}

}  // namespace

std::vector<MetricSample> samples_of(std::string_view metrics, std::string_view name) {
  std::vector<MetricSample> samples;
  while (!metrics.empty()) {
    const std::size_t end = std::min(metrics.find('\n'), metrics.size());
    std::string_view line = metrics.substr(0, end);
    metrics.remove_prefix(std::min(end + 1, metrics.size()));
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    MetricSample sample;
    if (const std::size_t close = line.rfind('}'); line.starts_with('{') && close != std::string_view::npos) {
      sample.labels = line.substr(1, close - 1);
      line.remove_prefix(close + 1);
    }
    if (!line.starts_with(' ')) continue;  // another family, whose name is longer
    sample.value = number_of(line.substr(1));
    samples.push_back(sample);
  }
  return samples;
}

std::string_view label_of(std::string_view labels, std::string_view name) {
  for (std::size_t at = labels.find(name); at != std::string_view::npos; at = labels.find(name, at + 1)) {
    const bool begins = at == 0 || labels[at - 1] == ',';
    const std::string_view rest = labels.substr(at + name.size());
    if (!begins || !rest.starts_with("=\"")) continue;
    return rest.substr(2, rest.find('"', 2) - 2);
  }
  return {};
}

std::optional<double> quantile_between(std::string_view before, std::string_view now, std::string_view histogram,
                                       double quantile) {
  std::map<double, double> counts = buckets_of(now, histogram);
  for (const auto& [edge, count] : buckets_of(before, histogram)) counts[edge] -= count;
  if (counts.empty() || counts.rbegin()->second <= 0) return std::nullopt;
  const double wanted = quantile * counts.rbegin()->second;
  double below_edge = 0, below_count = 0;
  for (const auto& [edge, count] : counts) {
    if (count >= wanted && edge == std::numeric_limits<double>::infinity()) return below_edge;
    if (count >= wanted) return below_edge + (edge - below_edge) * (wanted - below_count) / (count - below_count);
    below_edge = edge;
    below_count = count;
  }
  return below_edge;
}

}  // namespace mcplane::app
