// The breakers of all workers, by their lines, and what of the cores' words (state/outcomes.h) each has heard.
// Control thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "control/breaker.h"
#include "state/shared.h"

namespace mcplane::control {

class Breakers {
 public:
  // `shared` outlives it. Draws from `random` only when a breaker opens.
  Breakers(const state::Shared& shared, const BreakerSettings& settings, Random random);

  // A new worker has the line, and what came of the tasks of the one before says nothing of it. Closed, unless its
  // health is awaited.
  void begin(WorkerId worker, Health health, std::uint64_t now_ns);
  const Breaker& operator[](WorkerId worker) const noexcept { return all_[raw(worker)]; }

  // Tells the breaker what it has not heard, core by core: in which order the cores' outcomes came, nobody knows.
  // Stops at the first change that matters to the gate; what a breaker that opened has not heard, it never will.
  BreakerChange hear(WorkerId worker, std::uint64_t now_ns, bool may_open);
  BreakerChange poll(WorkerId worker, std::uint64_t now_ns, bool probes_run);
  BreakerChange force(WorkerId worker, BreakerMode mode, std::uint64_t now_ns, bool may_open);
  BreakerChange on_health(WorkerId worker, Health health, std::uint64_t now_ns, bool may_open);

  // Those that are not closed, in no order; and when the first of them is to be polled.
  std::span<const WorkerId> not_closed() const noexcept { return not_closed_; }
  std::uint64_t next_due_ns() const noexcept { return next_due_ns_; }
  // After all that are due were polled.
  void find_next_due() noexcept;

  BreakerSettings settings;

 private:
  // What has not been heard of that core is unknown from now on.
  void skip(WorkerId worker) noexcept;
  BreakerContext context(std::uint64_t now_ns, bool may_open = true) noexcept {
    return {settings, random_, now_ns, may_open};
  }
  void list(WorkerId worker);
  void unlist(WorkerId worker) noexcept;
  BreakerChange note(WorkerId worker, BreakerState before, BreakerChange change);
  std::uint16_t& heard(std::size_t shard, WorkerId worker) noexcept {
    return heard_[shard * all_.size() + raw(worker)];
  }

  const state::Shared& shared_;
  Random random_;
  std::vector<Breaker> all_;
  std::vector<std::uint16_t> heard_;  // counts of the words, by shard and worker
  std::vector<WorkerId> not_closed_;
  std::vector<std::uint32_t> place_;  // in not_closed_, of those that are there
  std::uint64_t next_due_ns_ = Breaker::kNever;
};

}  // namespace mcplane::control
