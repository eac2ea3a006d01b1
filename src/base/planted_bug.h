// Bugs planted on purpose, to prove that the simulation's oracles find such bugs. A plant is one readable condition at
// the place where the bug could have been made. Only the simulation's own copy of the code, compiled with
// MCPLANE_PLANTED_BUGS, can switch one on, at run time; everywhere else planted() is a constant and costs nothing.
// tests/sim/README.md says of each which oracle finds it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mcplane {

enum class PlantedBug : std::uint8_t {
  kNone,
  kCount
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(PlantedBug::kCount)> kPlantedBugNames = {
    "none"};

#if defined(MCPLANE_PLANTED_BUGS)
inline PlantedBug planted_bug = PlantedBug::kNone;  // of the run at hand; one thread
inline bool planted(PlantedBug bug) noexcept { return planted_bug == bug; }
#else
constexpr bool planted(PlantedBug) noexcept { return false; }
#endif

}  // namespace mcplane
