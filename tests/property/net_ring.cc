// The SPSC ring behaves as a bounded deque under any sequence of bursts.
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <vector>

#include "net/ring.h"

namespace {

using mcplane::net::SpscRing;

template <std::size_t kWords>
using Element = std::array<std::uint32_t, kWords>;

// Positive: push that many; negative: pop that many.
template <std::size_t kWords>
void ring_is_a_bounded_deque(std::size_t capacity, const std::vector<int>& bursts) {
  SpscRing<Element<kWords>> ring(capacity);
  std::deque<Element<kWords>> model;
  std::uint32_t next = 0;
  for (const int burst : bursts) {
    std::vector<Element<kWords>> elements(static_cast<std::size_t>(std::abs(burst)));
    if (burst >= 0) {
      for (auto& element : elements) element.fill(next++);
      const std::size_t expected = std::min(elements.size(), capacity - model.size());
      RC_ASSERT(ring.push(elements) == expected);
      model.insert(model.end(), elements.begin(), elements.begin() + static_cast<std::ptrdiff_t>(expected));
    } else {
      const std::size_t expected = std::min(elements.size(), model.size());
      RC_ASSERT(ring.pop(elements) == expected);
      RC_ASSERT(std::equal(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(expected), elements.begin()));
      model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(expected));
    }
    RC_ASSERT(ring.size() == model.size());
  }
}

template <std::size_t kWords>
bool check(const char* description) {
  return rc::check(description, [] {
    const auto capacity = *rc::gen::inRange<std::size_t>(1, 70);
    const auto bursts = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-80, 81));
    ring_is_a_bounded_deque<kWords>(capacity, bursts);
  });
}

}  // namespace

int main() {
  bool ok = check<1>("a ring of 4-byte elements is a bounded deque");
  ok &= check<2>("a ring of 8-byte elements is a bounded deque");
  ok &= check<5>("a ring of 20-byte elements is a bounded deque");
  ok &= check<16>("a ring of 64-byte elements is a bounded deque");
  return ok ? 0 : 1;
}
