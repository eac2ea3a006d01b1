// Families of metrics in the making, each under a name, a help and a type of its own; prometheus-cpp writes them.
#pragma once

#include <prometheus/metric_family.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcplane::control {

class MetricList {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // One series after the other joins the family.
  class Family {
   public:
    explicit Family(prometheus::MetricFamily& family) : family_(&family) {}

    // A counter's or a gauge's. Label values come from peers too: bytes that are no UTF-8 are replaced.
    template <class Number>
    Family& add(Labels labels, Number value) {
      return add_value(labels, static_cast<double>(value));
    }
    Family& add(prometheus::ClientMetric::Histogram histogram);

   private:
    Family& add_value(Labels labels, double value);

    prometheus::MetricFamily* family_;
  };

  // Each is good until the next is begun.
  Family counter(std::string_view name, std::string_view help) { return begin(name, help, Type::Counter); }
  Family gauge(std::string_view name, std::string_view help) { return begin(name, help, Type::Gauge); }
  Family histogram(std::string_view name, std::string_view help) { return begin(name, help, Type::Histogram); }

  std::vector<prometheus::MetricFamily> take() { return std::move(families_); }

 private:
  using Type = prometheus::MetricType;

  Family begin(std::string_view name, std::string_view help, Type type);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace mcplane::control
