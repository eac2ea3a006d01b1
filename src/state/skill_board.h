// Of a worker with several actions: what became of the tasks of each, and the gate of each, shut while that action's
// breaker is open and half-open for a counted few. Made by control for the worker's session, and gone when every shard
// has let go of it; a core looks here only with a slot of the worker in its hands.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/types.h"
#include "state/outcomes.h"
#include "state/worker_table.h"

namespace mcplane::state {

class SkillBoard {
 public:
  // skills: 2 to kSkillsMax. cores: how many tell outcomes.
  SkillBoard(std::uint32_t skills, std::uint32_t cores);

  // A core, of its own tasks. What control is told of the worker (Outcomes::add_failure(), add_probe(), after these),
  // it looks at this too.
  void add_success(ShardId core, SkillId skill) noexcept { note_success(words_[index(core, skill)]); }
  void add_failure(ShardId core, SkillId skill) noexcept { note_failure(words_[index(core, skill)]); }
  // Control.
  OutcomeWord read(ShardId core, SkillId skill) const noexcept {
    return {words_[index(core, skill)].load(std::memory_order_relaxed)};
  }

  // Control. From now on so many tasks get through, in that round of the worker's gate; those that entered before are
  // of no account any more. A core that enters at the same time is before or after it.
  void set_gate(SkillId skill, GateRound round, std::uint8_t permits) noexcept {
    gates_[raw(skill)].store(pack(round, permits), std::memory_order_relaxed);
  }
  // Whether a task that was let through is still on its way, or may still be let through.
  bool probes_run(SkillId skill) const noexcept {
    return gates_[raw(skill)].load(std::memory_order_relaxed) >> kRoundBits != 0;
  }

  // Cores. A task of that round goes through, if there is a permit for it. Relaxed: RMWs of the word are totally
  // ordered, so no more get through than there are permits; nothing else is published by it.
  bool try_enter(SkillId skill, std::uint16_t round) noexcept;
  // A task that entered has ended, or went no further. returns: it says nothing of the worker, so another may.
  void leave(SkillId skill, std::uint16_t round, bool returns) noexcept;

 private:
  //   23      16 15        8 7      0
  //   | running | permits   | round |
  static constexpr unsigned kRoundBits = 8;
  static constexpr std::uint32_t kPermit = 1U << kRoundBits, kRunning = 1U << 16, kByte = 0xff;
  static constexpr std::uint32_t pack(GateRound round, std::uint8_t permits) noexcept {
    return permits * kPermit | round;
  }
  std::size_t index(ShardId core, SkillId skill) const noexcept { return raw(core) * stride_ + raw(skill); }

  const std::size_t stride_;                             // words from one core's to the next one's, on other lines
  std::unique_ptr<std::atomic<std::uint64_t>[]> words_;  // Written by: each core its own.
  // Written by: control, and core loops between permits and running.
  std::unique_ptr<std::atomic<std::uint32_t>[]> gates_;
};

}  // namespace mcplane::state
