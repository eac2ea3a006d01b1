// Which EVENTs of one shard have come, by number: the highest, and a bit for each of the 64 below and at it. Numbers
// that are passed over are missed, until they come late: one that the network overtook is no miss while it is in the
// window. What is older was counted, and is not taken any more: it may be a repeat. Serial-number arithmetic. One
// thread.
#pragma once

#include <cstdint>

namespace mcplane::client {

class EventWindow {
 public:
  static constexpr std::uint32_t kNumbers = 64;

  // Whether the EVENT of that number is to be had: it is new. Numbers start at 1.
  bool take(std::uint32_t number) noexcept {
    const auto ahead = static_cast<std::int32_t>(number - highest_);
    if (ahead <= 0) return take_late(static_cast<std::uint32_t>(-ahead));
    const auto steps = static_cast<std::uint32_t>(ahead);
    missed_ += steps - 1;
    seen_ = (steps < kNumbers ? seen_ << steps : 0) | 1;
    highest_ = number;
    return true;
  }
  std::uint64_t missed() const noexcept { return missed_; }

 private:
  bool take_late(std::uint32_t behind) noexcept {
    if (behind >= kNumbers || (seen_ >> behind & 1) != 0) return false;
    seen_ |= std::uint64_t{1} << behind;
    --missed_;
    return true;
  }

  std::uint32_t highest_ = 0;
  std::uint64_t seen_ = ~std::uint64_t{0};  // bit i: number highest_ - i; those before 1 are none's
  std::uint64_t missed_ = 0;
};

}  // namespace mcplane::client
