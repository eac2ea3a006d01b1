// See autoscale.h.
#include "control/workers/autoscale.h"

#include <algorithm>
#include <cmath>

namespace mcplane::control {
namespace {

// Of the use of that many slots to what it should be.
double ratio_of(double used, std::uint64_t slots, const AutoscaleSettings& settings) noexcept {
  return slots > 0 ? used / (static_cast<double>(slots) * settings.target) : 0;
}

// 5.0000000001 is what becomes of 5 on the way.
std::uint32_t ceiling(double workers) noexcept {
  constexpr double kRounding = 1e-9;
  constexpr double kMax = 1e9;
  return static_cast<std::uint32_t>(std::ceil(std::min(workers, kMax) - kRounding));
}

}  // namespace

double utilisation(const PoolCensus& pool, std::uint64_t queued) noexcept {
  return ratio_of(static_cast<double>(pool.ready.in_flight + queued), pool.ready.slots, {.target = 1});
}

std::uint32_t recommended(const PoolCensus& pool, std::uint64_t queued, const AutoscaleSettings& settings) noexcept {
  const std::uint32_t current = pool.count();
  if (pool.ready.slots == 0) return current;
  auto used = static_cast<double>(pool.ready.in_flight + queued);
  const double before = ratio_of(used, pool.ready.slots, settings);
  std::uint64_t slots = pool.ready.slots;
  std::uint32_t counted = pool.ready.count;
  if (before > 1) {
    slots = pool.slots();
    counted = current;
  } else if (before < 1) {
    slots += pool.unknown.slots;
    counted += pool.unknown.count;
    used += static_cast<double>(pool.unknown.slots);
  }
  const double after = ratio_of(used, slots, settings);
  if (std::abs(1 - after) <= settings.tolerance || (before < 1 && after > 1) || (before > 1 && after < 1))
    return current;
  const std::uint32_t workers = ceiling(after * counted);
  const bool turns = (after < 1 && workers > current) || (after > 1 && workers < current);
  return turns ? current : workers;
}

void Recommendations::add(std::uint32_t current, std::uint32_t recommended, std::uint64_t now_ns,
                          const AutoscaleSettings& settings) {
  // It begins with what there is, so that a start takes nobody away.
  if (kept_.empty()) kept_.push_back({current, now_ns});
  if (kept_.back().workers == recommended)
    kept_.back().last_ns = now_ns;
  else
    kept_.push_back({recommended, now_ns});
  const std::uint64_t window_ns = std::max(settings.up_window_ns, settings.down_window_ns);
  while (kept_.front().last_ns + window_ns <= now_ns && kept_.size() > 1) kept_.pop_front();
}

std::uint32_t Recommendations::desired(std::uint32_t current, std::uint32_t recommended, std::uint64_t now_ns,
                                       const AutoscaleSettings& settings) const noexcept {
  std::uint32_t up = recommended, down = recommended;
  const auto look = [&](const Kept& kept) {
    if (kept.last_ns + settings.up_window_ns > now_ns) up = std::min(up, kept.workers);
    if (kept.last_ns + settings.down_window_ns > now_ns) down = std::max(down, kept.workers);
  };
  if (kept_.empty()) look({current, now_ns});
  for (const Kept& kept : kept_) look(kept);
  const std::uint32_t steady = std::min(std::max(current, up), down);
  return std::clamp(steady, settings.min, std::max(settings.min, settings.max));
}

}  // namespace mcplane::control
