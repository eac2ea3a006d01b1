// Counters of all shards, added up for reports. They are read one by one while cores add to them: sums may be a few
// frames apart, and none ever goes back.
#pragma once

#include <cstdint>
#include <functional>

#include "state/shared.h"

namespace mcplane::control {

// `which` names one counter of a shard's.
template <typename Which>
std::uint64_t sum_of(const state::Shared& shared, Which which) {
  std::uint64_t sum = 0;
  for (const auto& shard : shared.shards) sum += std::invoke(which, shard->counters).read();
  return sum;
}

}  // namespace mcplane::control
