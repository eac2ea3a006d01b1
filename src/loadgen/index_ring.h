// A line of indices, each of which is in it once at most: so it is never longer than there are. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace mcplane::loadgen {

class IndexRing {
 public:
  explicit IndexRing(std::size_t indices) : places_(indices) {}

  bool empty() const noexcept { return count_ == 0; }
  std::size_t size() const noexcept { return count_; }
  // From the front, which is 0.
  std::uint32_t operator[](std::size_t place) const noexcept { return places_[wrapped(first_ + place)]; }
  void push(std::uint32_t index) noexcept {
    DCHECK(count_ < places_.size());
    places_[wrapped(first_ + count_++)] = index;
  }
  std::uint32_t pop() noexcept {
    DCHECK(count_ > 0);
    const std::uint32_t index = places_[first_];
    first_ = wrapped(first_ + 1);
    --count_;
    return index;
  }

 private:
  std::size_t wrapped(std::size_t place) const noexcept {
    return place < places_.size() ? place : place - places_.size();
  }

  std::vector<std::uint32_t> places_;
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace mcplane::loadgen
