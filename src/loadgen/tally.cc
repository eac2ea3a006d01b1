// See tally.h.
#include "loadgen/tally.h"

#include <numeric>

#include "base/types.h"

namespace mcplane::loadgen {

std::uint64_t Tally::refused() const noexcept {
  return std::accumulate(endings.begin(), endings.end(), std::uint64_t{0}) - delivered() - lost();
}

double Tally::measured_rate() const noexcept {
  if (measured_ns == 0) return 0;
  return static_cast<double>(measured) * static_cast<double>(kNsPerSecond) / static_cast<double>(measured_ns);
}

}  // namespace mcplane::loadgen
