// See tally.h.
#include "loadgen/tally.h"

#include <numeric>
#include <utility>

#include "base/types.h"

namespace mcplane::loadgen {

std::uint64_t Tally::refused() const noexcept {
  return std::accumulate(endings.begin(), endings.end(), std::uint64_t{0}) - delivered() - degraded() - lost();
}

namespace {

double per_second(std::uint64_t count, std::uint64_t ns) noexcept {
  return ns == 0 ? 0 : static_cast<double>(count) * static_cast<double>(kNsPerSecond) / static_cast<double>(ns);
}

}  // namespace

double Tally::measured_rate() const noexcept { return per_second(measured, measured_ns); }
double Tally::offered_rate() const noexcept { return per_second(offered, measured_ns); }

void Tally::add_counts(const Tally& other) noexcept {
  sent += other.sent;
  for (std::size_t i = 0; i < endings.size(); ++i) endings[i] += other.endings[i];
  mismatched += other.mismatched;
  duplicates += other.duplicates;
  late += other.late;
  skipped += other.skipped;
  repeated_frames += other.repeated_frames;
  dropped_frames += other.dropped_frames;
  if (chunks && other.chunks) chunks->add_counts(*other.chunks);
}

void Progress::publish(const Counts& now) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  sent.store(now.sent, relaxed);
  delivered.store(now.delivered, relaxed);
  refused.store(now.refused, relaxed);
  lost.store(now.lost, relaxed);
  in_flight.store(now.in_flight, relaxed);
  rate.store(now.delivered - std::exchange(delivered_before, now.delivered), relaxed);
  updates.fetch_add(1, relaxed);
  updates.notify_all();
}

}  // namespace mcplane::loadgen
