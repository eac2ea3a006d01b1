// Which ROUTEs of one shard a worker has taken or refused, by number: the highest, and a bit for each of the 1,024
// below and at it (as the replay window of RFC 4303, 3.4.3). What is older counts as seen. Serial-number arithmetic.
// One thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/planted_bug.h"

namespace mcplane::client {

class RouteWindow {
 public:
  static constexpr std::uint32_t kNumbers = 1'024;

  // Numbers start at 1.
  bool seen(std::uint32_t number) const noexcept {
    const auto ahead = static_cast<std::int32_t>(number - highest_);
    if (planted(PlantedBug::kSkipRouteDedup)) return false;
    if (ahead > 0 || (planted(PlantedBug::kWindowOffByOne) && ahead == 0)) return false;
    return ahead <= -static_cast<std::int32_t>(kNumbers) || (word_of(number) & bit_of(number)) != 0;
  }
  void mark(std::uint32_t number) noexcept {
    const auto ahead = static_cast<std::int32_t>(number - highest_);
    if (ahead <= -static_cast<std::int32_t>(kNumbers)) return;
    if (ahead > 0) advance(number);
    bits_[place_of(number)] |= bit_of(number);
  }

 private:
  static constexpr std::uint32_t kWordBits = 64;

  static constexpr std::size_t place_of(std::uint32_t number) noexcept { return number % kNumbers / kWordBits; }
  static constexpr std::uint64_t bit_of(std::uint32_t number) noexcept { return 1ULL << number % kWordBits; }
  std::uint64_t word_of(std::uint32_t number) const noexcept { return bits_[place_of(number)]; }

  // The places of those between are another 1,024's no longer. A step of one costs one store.
  void advance(std::uint32_t number) noexcept {
    if (number - highest_ >= kNumbers) bits_ = {};
    for (; highest_ != number && number - highest_ < kNumbers; ++highest_)
      bits_[place_of(highest_ + 1)] &= ~bit_of(highest_ + 1);
    highest_ = number;
  }

  std::uint32_t highest_ = 0;
  std::array<std::uint64_t, kNumbers / kWordBits> bits_{1};  // number 0 is none's
};

}  // namespace mcplane::client
