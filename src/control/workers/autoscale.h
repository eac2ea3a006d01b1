// How many workers a pool should have, as the Horizontal Pod Autoscaler of Kubernetes reckons it: so many that each has
// its target share of slots in use, a change that is smaller than the tolerance being none, and of the numbers of the
// last minutes the one that keeps what there is for longest. Workers stand for its pods, slots for what they request,
// tasks for what they use.
//
// https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/#algorithm-details, and the cases
// of pkg/controller/podautoscaler that its tests have. How fast a number is followed is left to who follows it.
// Pure; time is an argument.
#pragma once

#include <cstdint>
#include <deque>

#include "control/config/settings.h"

namespace mcplane::control {

// What the workers of a pool are, added up.
struct PoolCensus {
  struct Workers {
    std::uint32_t count = 0;
    std::uint64_t slots = 0, in_flight = 0;  // tasks, those sent ahead of free slots too
  };
  Workers ready;    // take tasks
  Workers unready;  // their breakers are not closed
  Workers unknown;  // their health probes have not been answered yet

  std::uint32_t count() const noexcept { return ready.count + unready.count + unknown.count; }
  std::uint64_t slots() const noexcept { return ready.slots + unready.slots + unknown.slots; }
  std::uint64_t in_flight() const noexcept { return ready.in_flight + unready.in_flight + unknown.in_flight; }
};

// Tasks of ready workers and those that wait, as a share of the slots; 0 without a ready worker.
double utilisation(const PoolCensus& pool, std::uint64_t queued) noexcept;

// Workers, by what is so now. What is unready counts as idle when more are wanted, and not at all when fewer are; what
// is unknown as idle, and as full: neither makes a change larger. As many as there are without a ready worker.
std::uint32_t recommended(const PoolCensus& pool, std::uint64_t queued, const AutoscaleSettings& settings) noexcept;

// What was recommended lately, of one pool.
class Recommendations {
 public:
  // current: workers there are.
  void add(std::uint32_t current, std::uint32_t recommended, std::uint64_t now_ns, const AutoscaleSettings& settings);
  // Workers, as if what there is had been recommended before the first: no more than the least of what was recommended
  // in the window for more, no fewer than the most of what was in the window for fewer, within the settings' bounds.
  std::uint32_t desired(std::uint32_t current, std::uint32_t recommended, std::uint64_t now_ns,
                        const AutoscaleSettings& settings) const noexcept;

 private:
  struct Kept {
    std::uint32_t workers = 0;
    std::uint64_t last_ns = 0;
  };
  std::deque<Kept> kept_;  // the oldest first; equal ones that follow each other are one
};

}  // namespace mcplane::control
