// See skill_board.h: what only tasks of an action that is out come to.
#include "state/skill_board.h"

#include "base/check.h"

namespace mcplane::state {
namespace {

constexpr std::size_t kWordsPerLine = kCacheLineBytes / sizeof(std::uint64_t);

}  // namespace

// Two lines apart, whatever the alignment: no two cores write to one.
SkillBoard::SkillBoard(std::uint32_t skills, std::uint32_t cores)
    : stride_((skills + 2 * kWordsPerLine - 1) / kWordsPerLine * kWordsPerLine),
      words_(new std::atomic<std::uint64_t>[stride_ * cores]()),
      gates_(new std::atomic<std::uint32_t>[skills]()) {
  CHECK(skills > 1 && skills <= kSkillsMax);
}

bool SkillBoard::try_enter(SkillId skill, std::uint16_t round) noexcept {
  std::atomic<std::uint32_t>& gate = gates_[raw(skill)];
  std::uint32_t seen = gate.load(std::memory_order_relaxed);
  while ((seen & kByte) == round && (seen / kPermit & kByte) > 0)
    if (gate.compare_exchange_weak(seen, seen - kPermit + kRunning, std::memory_order_relaxed)) return true;
  return false;
}

void SkillBoard::leave(SkillId skill, std::uint16_t round, bool returns) noexcept {
  std::atomic<std::uint32_t>& gate = gates_[raw(skill)];
  std::uint32_t seen = gate.load(std::memory_order_relaxed);
  while ((seen & kByte) == round && seen / kRunning > 0)
    if (gate.compare_exchange_weak(seen, seen - kRunning + (returns ? kPermit : 0), std::memory_order_relaxed)) return;
}

}  // namespace mcplane::state
