// The breakers of all workers, by their lines, and what of the cores' words (state/outcomes.h) each has heard.
// Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "control/workers/breaker.h"
#include "state/shared.h"

namespace mcplane::control {

// Whose breaker: a worker's, for all it does, or for one of its actions.
struct BreakerId {
  BreakerId(WorkerId whose, std::optional<SkillId> of = std::nullopt) : worker(whose), skill(of) {}

  WorkerId worker;
  std::optional<SkillId> skill;

  friend bool operator==(const BreakerId&, const BreakerId&) = default;
};

class Breakers {
 public:
  // `shared` outlives it. Draws from `random` only when a breaker opens.
  Breakers(const state::Shared& shared, const BreakerSettings& settings, Random random);

  // A new worker's, and what came of tasks until now says nothing of it. Closed, unless its health is awaited.
  void begin(const BreakerId& id, Health health, std::uint64_t now_ns);
  // The same, as it is: what came of them was another's fault.
  void forget(const BreakerId& id);
  const Breaker& operator[](const BreakerId& id) const noexcept;

  // Tells the breaker what it has not heard, core by core: in which order the cores' outcomes came, nobody knows.
  // Stops at the first change that matters to the gate; what a breaker that opened has not heard, it never will.
  BreakerChange hear(const BreakerId& id, std::uint64_t now_ns, bool may_open);
  BreakerChange poll(const BreakerId& id, std::uint64_t now_ns, bool probes_run);
  BreakerChange force(const BreakerId& id, BreakerMode mode, std::uint64_t now_ns, bool may_open);
  BreakerChange on_health(const BreakerId& id, Health health, std::uint64_t now_ns, bool may_open);

  // Those that are not closed, in no order; and when the first of them is to be polled.
  std::span<const BreakerId> not_closed() const noexcept { return not_closed_; }
  std::uint64_t next_due_ns() const noexcept { return next_due_ns_; }
  // After all that are due were polled.
  void find_next_due() noexcept;

  BreakerSettings settings;

 private:
  static std::size_t index(const BreakerId& id) noexcept {
    return std::size_t{raw(id.worker)} * (1 + kSkillsMax) + (id.skill ? 1U + raw(*id.skill) : 0U);
  }
  // What has not been heard of its cores is unknown from now on.
  void skip(const BreakerId& id) noexcept;
  state::OutcomeWord read(std::size_t shard, const BreakerId& id) const noexcept;
  BreakerContext context(std::uint64_t now_ns, bool may_open = true) noexcept {
    return {settings, random_, now_ns, may_open};
  }
  void list(const BreakerId& id);
  void unlist(const BreakerId& id) noexcept;
  BreakerChange note(const BreakerId& id, BreakerState before, BreakerChange change);
  std::uint16_t& heard(std::size_t shard, const BreakerId& id) noexcept {
    return heard_[index(id) * shared_.shards.size() + shard];
  }

  const state::Shared& shared_;
  Random random_;
  struct Made {
    Breaker breaker;
    std::uint32_t place = 0;  // in not_closed_, if it is there
  };
  std::unordered_map<std::size_t, Made> made_;  // by index(): of those that something was heard of
  std::vector<std::uint16_t> heard_;            // counts of the words, by index() and shard
  std::vector<BreakerId> not_closed_;
  std::uint64_t next_due_ns_ = Breaker::kNever;
};

}  // namespace mcplane::control
