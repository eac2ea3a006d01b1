// How a route chooses among the workers that serve it. Set by people (control/settings.h), carried to the cores in
// route snapshots. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mcplane::state {

enum class Policy : std::uint8_t {
  kLeastOutstanding,  // idle workers first, then those with the fewest tasks
  kRoundRobin,        // in turn, whatever they hold
  kWeighted,          // in turn, as often as their weight says, smoothly
  kPowerOfTwo,        // the less loaded of two drawn at random
  kSourceHash,        // by the client's IP address (a Maglev table)
  kSession,           // by the client's session, unless its worker is ahead of the others
  kPrefix,            // by the affinity key that the SEND carries, unless its worker is ahead of the others
};
inline constexpr std::size_t kPolicies = 7;

}  // namespace mcplane::state
