// The result as people and programs read it. Pure; main thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/types.h"
#include "loadgen/options.h"
#include "loadgen/run.h"

namespace mcplane::loadgen {

constexpr double us(std::uint64_t ns) noexcept { return static_cast<double>(ns) / static_cast<double>(kNsPerUs); }
constexpr double seconds(std::uint64_t ns) noexcept {
  return static_cast<double>(ns) / static_cast<double>(kNsPerSecond);
}

struct Quantile {
  std::string_view table_name, json_name;
  double percent;
};
inline constexpr std::array<Quantile, 8> kQuantiles = {{{"p50_us", "p50", 50},
                                                        {"p75_us", "p75", 75},
                                                        {"p90_us", "p90", 90},
                                                        {"p95_us", "p95", 95},
                                                        {"p99_us", "p99", 99},
                                                        {"p99.9_us", "p999", 99.9},
                                                        {"p99.99_us", "p9999", 99.99},
                                                        {"p99.999_us", "p99999", 99.999}}};

// Name and value of every figure, in the order of the table.
std::vector<std::pair<std::string, std::string>> figures_of(const Options& options, const RunResult& result);
// One name and value a line, in two columns; of a sweep its steps follow. Ends with a newline.
std::string table_of(const Options& options, const RunResult& result);
// One object on one line, without a newline.
std::string json_of(const Options& options, const RunResult& result, std::string_view command_line);
// A page with pictures, in one piece: nothing of it is loaded from elsewhere.
std::string html_of(const Options& options, const RunResult& result, std::string_view command_line);
// Values in microseconds; empty histograms have no lines but the last three.
std::string hgrm_of(const Histogram& histogram);
// What someone should know or do next, for stderr: lines, each ending with a newline; may be empty.
std::string remarks_on(const Options& options, const RunResult& result);

// What was asked for: of a sweep, the rate whose measurements are shown.
double target_rate(const Options& options, const RunResult& result) noexcept;
std::vector<SweepStep> sorted_by_rate(std::vector<SweepStep> steps);

// Names for endings that are neither an answer nor a loss.
template <class Fn>
void for_each_refusal(const Tally& tally, Fn fn) {
  for (std::size_t i = 0; i < kEndings; ++i) {
    const auto ending = static_cast<Ending>(i);
    if (ending != Ending::kDelivered && ending != Ending::kDegraded && !is_lost(ending) && tally.endings[i] > 0)
      fn(name_of(ending), tally.endings[i]);
  }
}

}  // namespace mcplane::loadgen
