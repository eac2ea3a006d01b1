// How a route chooses among the workers that serve it. Set by people (control/config/settings.h), carried to the cores
// in route snapshots. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

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
// For people, and in configuration.
inline constexpr std::array<std::string_view, kPolicies> kPolicyNames = {
    "least-outstanding", "round-robin", "weighted", "power-of-two", "source-hash", "session", "prefix"};

}  // namespace mcplane::state
