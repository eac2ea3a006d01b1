// See look_ahead.h.
#include "control/workers/look_ahead.h"

#include <algorithm>
#include <cmath>

#include "wire/registration.h"

namespace mcplane::control {
namespace {

constexpr double kIdleShare = 0.125;         // of a service time
constexpr std::uint32_t kBoundMax = 0xffff;  // what levels of load are made for (state/load_index.h)

}  // namespace

std::uint32_t look_ahead(std::uint16_t slots, const state::WorkerPace& pace, double max_share) noexcept {
  const state::WorkerPace::Seen seen = pace.read();
  if (seen.samples == 0) return 0;
  constexpr double kOne = 1U << state::kPaceFractionBits;
  const double wanted = std::ceil(slots * (std::exp2(seen.mean_log2 / kOne) - kIdleShare));
  const double room =
      std::min({std::floor(max_share * slots), static_cast<double>(wire::worker_tasks_max(slots) - slots),
                static_cast<double>(kBoundMax - slots)});
  return static_cast<std::uint32_t>(std::clamp(wanted, 0.0, room));
}

}  // namespace mcplane::control
