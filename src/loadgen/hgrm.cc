// The percentile distribution that HdrHistogram prints (outputPercentileDistribution, five ticks a half distance), so
// that its plotters read it. See report.h.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "loadgen/report.h"

namespace mcplane::loadgen {
namespace {

constexpr double kTicksPerHalf = 5;

double us_of(double ns) noexcept { return ns / static_cast<double>(kNsPerUs); }

}  // namespace

std::string hgrm_of(const Histogram& histogram) {
  std::string text =
      fmt::format("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
  auto out = std::back_inserter(text);
  const auto total = static_cast<double>(histogram.count());
  double reported = 0;  // percentile of the next line, 0 to 1
  std::uint64_t seen = 0;
  histogram.for_each_bucket([&](std::uint64_t, std::uint64_t upper, std::uint64_t count) {
    seen += count;
    const double share = static_cast<double>(seen) / total;
    const double value_us = us_of(static_cast<double>(std::min(upper, histogram.max())));
    if (seen == histogram.count()) {
      fmt::format_to(out, "{:12.3f} {:2.12f} {:10d}\n", us_of(static_cast<double>(histogram.max())), 1.0, seen);
      return;
    }
    for (bool first = true; reported <= share; first = false) {
      if (first) fmt::format_to(out, "{:12.3f} {:2.12f} {:10d} {:14.2f}\n", value_us, share, seen, 1 / (1 - share));
      const double halves = std::floor(std::log2(1 / (1 - reported))) + 1;
      reported += 1 / (kTicksPerHalf * std::pow(2, halves));
    }
  });
  fmt::format_to(out, "#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n", us_of(histogram.mean()),
                 us_of(histogram.standard_deviation()));
  fmt::format_to(out, "#[Max     = {:12.3f}, Total count    = {:12d}]\n", us_of(static_cast<double>(histogram.max())),
                 histogram.count());
  fmt::format_to(out, "#[Buckets = {:12d}, SubBuckets     = {:12d}]\n", Histogram::kValueBits,
                 1U << Histogram::kSubBucketBits);
  return text;
}

}  // namespace mcplane::loadgen
