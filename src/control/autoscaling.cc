// How many workers pools should have, reckoned now and then (workers/autoscale.h): the windows look at what was wanted
// lately, whether or not somebody asked then.
#include "control/control.h"

namespace mcplane::control {

// Cost: a walk of the selectors that each core has room for.
void Control::count_waiting() {
  Pools::Waiting waiting;
  for (const auto& shard : shared_.shards)
    for (const state::WaitingAt& place : shard->waiting)
      if (const std::uint32_t tasks = place.tasks.load(std::memory_order_relaxed); tasks > 0)
        waiting[place.pool.load(std::memory_order_relaxed)] += tasks;
  pools_.set_waiting(waiting);
}

void Control::recommend_if_due() {
  if (now_ns_ < next_recommendation_ns_) return;
  next_recommendation_ns_ = now_ns_ + kAutoscaleIntervalNs;
  count_waiting();
  pools_.recommend(now_ns_, settings_->autoscale);
}

}  // namespace mcplane::control
