// How many tasks a worker has ended, from the cores' words (state/outcomes.h), which count round: looked at often
// enough, no turn is missed. Of failures a word keeps 32 at most between two looks. Control thread.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "state/shared.h"

namespace mcplane::control {

class Tally {
 public:
  // What came before is another worker's.
  void begin(const state::Shared& shared, WorkerId worker) {
    *this = {};
    seen_.resize(shared.shards.size());
    for (std::size_t i = 0; i < seen_.size(); ++i) seen_[i] = shared.shards[i]->outcomes.read(worker);
  }

  void look(const state::Shared& shared, WorkerId worker) noexcept {
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      const state::OutcomeWord word = shared.shards[i]->outcomes.read(worker);
      const state::OutcomeWord before = std::exchange(seen_[i], word);
      const auto fresh = static_cast<std::uint16_t>(word.count() - before.count());
      done_ += fresh;
      // A long run has come round too: only another last failure is a new one.
      if ((word.bits ^ before.bits) % state::OutcomeWord::kCountOne == 0 || fresh <= word.run()) continue;
      const std::uint32_t kept = fresh - word.run();  // outcomes up to the last failure that are new
      const std::uint32_t mask = kept < state::OutcomeWord::kKept ? (1U << kept) - 1 : ~0U;
      failed_ += static_cast<std::uint64_t>(std::popcount(static_cast<std::uint32_t>(word.bits) & mask));
    }
  }

  std::uint64_t done() const noexcept { return done_; }      // failed or not
  std::uint64_t failed() const noexcept { return failed_; }  // at least

 private:
  std::vector<state::OutcomeWord> seen_;  // by shard
  std::uint64_t done_ = 0, failed_ = 0;
};

}  // namespace mcplane::control
