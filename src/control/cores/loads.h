// How busy each core was lately: its busy time (state/counters.h), looked at once a second. Control thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/types.h"
#include "state/shared.h"

namespace mcplane::control {

class CoreLoads {
 public:
  static constexpr std::uint64_t kIntervalNs = kNsPerSecond;

  explicit CoreLoads(std::size_t shards) : cores_(shards) {}

  // Once a poll.
  void tick(const state::Shared& shared, std::uint64_t now_ns) noexcept {
    if (began_ns_ != 0 && now_ns - began_ns_ < kIntervalNs) return;
    for (std::size_t i = 0; i < cores_.size(); ++i) {
      Core& core = cores_[i];
      const std::uint64_t busy_ns = shared.shards[i]->counters.busy_ns.read();
      if (began_ns_ != 0)
        core.ratio =
            std::min(1.0, static_cast<double>(busy_ns - core.busy_ns) / static_cast<double>(now_ns - began_ns_));
      core.busy_ns = busy_ns;
    }
    began_ns_ = now_ns;
  }

  // Of the last whole interval; 0 before there is one.
  double busy_ratio(std::size_t shard) const noexcept { return cores_[shard].ratio; }

 private:
  struct Core {
    std::uint64_t busy_ns = 0;
    double ratio = 0;
  };

  std::vector<Core> cores_;
  std::uint64_t began_ns_ = 0;  // the interval that runs; 0: none does
};

}  // namespace mcplane::control
