// xoshiro256** (Blackman, Vigna 2018, public domain): fast, small, seedable, one per thread.
// A random source is an argument wherever it is used, so a seed reproduces a run.
#pragma once

#include <bit>
#include <cstdint>

namespace mcplane {

// splitmix64's finaliser: each bit of the result depends on each of z.
constexpr std::uint64_t mix64(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) noexcept {
    for (auto& word : state_) word = splitmix(seed);
  }

  constexpr std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound), bound > 0; bias below 2^-32 for bounds below 2^32 (Lemire's multiply).
  constexpr std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }

  // Uniform in [0, 1).
  constexpr double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  static constexpr std::uint64_t splitmix(std::uint64_t& seed) noexcept { return mix64(seed += 0x9e3779b97f4a7c15ULL); }

  std::uint64_t state_[4]{};
};

}  // namespace mcplane
