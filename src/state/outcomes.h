// What became of the tasks that one core gave to workers, told to control without a write that cores share: a word a
// worker and core, which its core alone writes, and which workers are worth a look, so that control never asks all.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "base/large_array.h"
#include "base/prefetch.h"
#include "base/types.h"

namespace mcplane::state {

// The last outcomes of a worker at one core: a success is one addition, and a run of them is known whatever its length.
//
//   63     48 47          32 31          0
//   |  count  | at failure | outcomes     |   count: of outcomes, modulo 65,536. at failure: what it was at the last
//                                             failure, and the outcomes up to that one, newest in bit 0: 1 failed.
struct OutcomeWord {
  static constexpr std::uint32_t kKept = 32;
  static constexpr std::uint64_t kCountOne = std::uint64_t{1} << 48;

  std::uint64_t bits = 0;

  std::uint16_t count() const noexcept { return static_cast<std::uint16_t>(bits >> 48); }
  // Of successes, since the last failure.
  std::uint16_t run() const noexcept {
    return static_cast<std::uint16_t>(count() - static_cast<std::uint16_t>(bits >> 32));
  }
  OutcomeWord with_success() const noexcept { return {bits + kCountOne}; }
  OutcomeWord with_failure() const noexcept {
    const std::uint32_t gap = run() + 1U;
    const std::uint64_t older = gap < kKept ? static_cast<std::uint32_t>(bits << gap) : 0;
    const std::uint64_t count_now = static_cast<std::uint16_t>(count() + 1U);
    return {count_now << 48 | count_now << 32 | older | 1};
  }
  // How the outcome ended that came so many before the last; what is older than is kept is taken for a success, as
  // nearly all are: of a failure control was told, and has looked since, unless more came within one of its polls.
  bool failed(std::uint32_t ago) const noexcept {
    return ago >= run() && ago - run() < kKept && (bits >> (ago - run()) & 1) != 0;
  }
};

// By the core that writes the word.
inline void note_success(std::atomic<std::uint64_t>& word) noexcept {
  word.store(OutcomeWord{word.load(std::memory_order_relaxed)}.with_success().bits, std::memory_order_relaxed);
}
inline void note_failure(std::atomic<std::uint64_t>& word) noexcept {
  word.store(OutcomeWord{word.load(std::memory_order_relaxed)}.with_failure().bits, std::memory_order_relaxed);
}

class Outcomes {
 public:
  explicit Outcomes(std::uint32_t workers) : words_(workers), told_(groups(workers)), roots_(groups(groups(workers))) {}

  // The owning core. Cost of a success: an addition to a word of its own. Control reads it with the failure that ends
  // the run; of a failure, and of whatever a probe comes to, it is told.
  void prefetch(WorkerId worker) const noexcept { prefetch_to_write(&words_[raw(worker)]); }
  void add_success(WorkerId worker) noexcept { note_success(words_[raw(worker)]); }
  void add_probe(WorkerId worker) noexcept {
    add_success(worker);
    tell(worker);
  }
  void add_failure(WorkerId worker) noexcept;

  // Control.
  OutcomeWord read(WorkerId worker) const noexcept { return {words_[raw(worker)].load(std::memory_order_relaxed)}; }
  // Calls visit(worker) for each worker that was told of since the last call. Cost without any: a load for 4,096.
  template <class Visit>
  void take_told(Visit visit) {
    for (std::uint32_t root = 0; root < roots_.size(); ++root) {
      if (roots_[root].load(std::memory_order_relaxed) == 0) continue;
      for (std::uint64_t groups = roots_[root].exchange(0, std::memory_order_acquire); groups != 0;
           groups &= groups - 1) {
        const std::uint32_t group = root * kFanOut + static_cast<std::uint32_t>(std::countr_zero(groups));
        for (std::uint64_t workers = told_[group].exchange(0, std::memory_order_acquire); workers != 0;
             workers &= workers - 1)
          visit(WorkerId{group * kFanOut + static_cast<std::uint32_t>(std::countr_zero(workers))});
      }
    }
  }

  static constexpr std::size_t kBytesPerWorker = sizeof(std::uint64_t);
  std::size_t bytes() const noexcept { return (words_.size() + told_.size() + roots_.size()) * sizeof(std::uint64_t); }

 private:
  static constexpr std::uint32_t kFanOut = 64;
  static constexpr std::uint32_t groups(std::uint32_t count) noexcept { return (count + kFanOut - 1) / kFanOut; }
  void tell(WorkerId worker) noexcept;

  LargeArray<std::atomic<std::uint64_t>> words_;  // Written by: the owning core.
  // Written by: the owning core, which sets bits, and control, which takes them all.
  LargeArray<std::atomic<std::uint64_t>> told_, roots_;
};

}  // namespace mcplane::state
