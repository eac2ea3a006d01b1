// HeldFrames against lists: lines keep their order whatever leaves their middles, and the table its bound.
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <list>

#include "dataplane/held_frames.h"
#include "property/dataplane_properties.h"

namespace mcplane::dataplane {
namespace {

constexpr std::size_t kLines = 3;

struct Entry {
  std::uint32_t index;  // in the HeldFrames
  std::uint32_t task;   // tells frames apart
};

void expect_same(HeldFrames& held, const WaitingLine& line, const std::list<Entry>& model) {
  std::uint32_t previous = HeldFrame::kNone, index = line.head;
  for (const Entry& entry : model) {
    RC_ASSERT(index == entry.index);
    RC_ASSERT(held[index].task == entry.task);
    RC_ASSERT(held[index].previous == previous);
    previous = index;
    index = held[index].next;
  }
  RC_ASSERT(index == HeldFrame::kNone);
  RC_ASSERT(line.tail == previous);
}

void lines_are_lists() {
  const auto capacity = *rc::gen::inRange<std::uint32_t>(0, 20);
  HeldFrames held(capacity);
  std::array<WaitingLine, kLines> lines;
  std::array<std::list<Entry>, kLines> model;
  std::uint32_t next_task = 0, size = 0;
  const auto steps = *rc::gen::inRange(0, 200);
  for (int step = 0; step < steps; ++step) {
    const auto which = *rc::gen::inRange<std::size_t>(0, kLines);
    std::list<Entry>& list = model[which];
    RC_ASSERT(held.full() == (size == capacity));
    if (*rc::gen::inRange(0, 5) < 3) {
      if (held.full()) continue;
      HeldFrame frame;
      frame.task = ++next_task;
      list.push_back({held.push(lines[which], std::move(frame)), next_task});
      ++size;
    } else if (!list.empty()) {
      const auto at = std::next(list.begin(), *rc::gen::inRange<std::ptrdiff_t>(0, std::ssize(list)));
      RC_ASSERT(held.take(lines[which], at->index).task == at->task);
      list.erase(at);
      --size;
    }
    RC_ASSERT(held.size() == size);
    for (std::size_t line = 0; line < kLines; ++line) expect_same(held, lines[line], model[line]);
  }
}

}  // namespace

bool check_held_frames() { return rc::check("waiting lines are lists of bounded sum", lines_are_lists); }

}  // namespace mcplane::dataplane
