// What the JSON results of tasks and of events are both made of. Main thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

#include "loadgen/histogram.h"
#include "loadgen/report.h"

namespace mcplane::loadgen {

using Json = nlohmann::ordered_json;

Json percentiles_json(const Histogram& histogram);
// Upper edges, in nanoseconds, and counts: histograms of several runs are joined by adding those of equal edges.
Json buckets_json(const Histogram& histogram);

}  // namespace mcplane::loadgen
