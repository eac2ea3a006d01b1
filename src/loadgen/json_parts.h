// What the JSON results of tasks and of events are both made of. Main thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/types.h"
#include "loadgen/histogram.h"

namespace mcplane::loadgen {

using Json = nlohmann::ordered_json;

constexpr double us(std::uint64_t ns) noexcept { return static_cast<double>(ns) / static_cast<double>(kNsPerUs); }
constexpr double seconds(std::uint64_t ns) noexcept {
  return static_cast<double>(ns) / static_cast<double>(kNsPerSecond);
}

Json percentiles_json(const Histogram& histogram);
// Upper edges, in nanoseconds, and counts: histograms of several runs are joined by adding those of equal edges.
Json buckets_json(const Histogram& histogram);

}  // namespace mcplane::loadgen
