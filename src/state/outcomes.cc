// See outcomes.h: what happens to few tasks, out of the way of the others.
#include "state/outcomes.h"

namespace mcplane::state {

void Outcomes::add_failure(WorkerId worker) noexcept {
  note_failure(words_[raw(worker)]);
  tell(worker);
}

// Release, from the leaf up: control's acquire exchange that finds a bit sees the word, and the bit below.
void Outcomes::tell(WorkerId worker) noexcept {
  constexpr auto bit = [](std::uint32_t at) { return std::uint64_t{1} << at % kFanOut; };
  const std::uint32_t at = raw(worker), group = at / kFanOut;
  told_[group].fetch_or(bit(at), std::memory_order_release);
  roots_[group / kFanOut].fetch_or(bit(group), std::memory_order_release);
}

}  // namespace mcplane::state
