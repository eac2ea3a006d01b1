// When to send again: the probe timeout both ends use (RFC 9002, 6.2, with the acknowledgement delay of this protocol).
// Pure functions; any thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/types.h"

namespace mcplane::wire {

// No probe comes earlier: a peer whose CPU is busy for a few milliseconds has lost nothing.
inline constexpr std::uint64_t kPtoMinNs = 5 * kNsPerMs;
// Until a round trip was measured.
inline constexpr std::uint64_t kPtoInitialNs = 50 * kNsPerMs;
inline constexpr std::uint64_t kPtoMaxNs = kNsPerSecond;
// What a client waits for an outcome beyond a task's TTL, and a broker for the outcome's acknowledgement.
inline constexpr std::uint64_t kGraceNs = 500 * kNsPerMs;

constexpr std::uint64_t pto_ns(std::uint64_t srtt_ns, std::uint64_t rttvar_ns, std::uint64_t ack_delay_ns) noexcept {
  return std::clamp(srtt_ns + std::max(4 * rttvar_ns, kNsPerMs) + ack_delay_ns, kPtoMinNs, kPtoMaxNs);
}

// While only the handshake was measured. The endpoint's own time may be in it, so it bounds the round trip from above,
// of whose variation half of it is the first estimate (RFC 6298 2.2). At least least_ns.
constexpr std::uint64_t handshake_pto_ns(std::uint64_t handshake_ns, std::uint64_t least_ns) noexcept {
  return std::clamp(3 * handshake_ns, least_ns, kPtoMaxNs);
}

// After `tries` fruitless ones.
constexpr std::uint64_t backed_off(std::uint64_t pto_ns, std::uint32_t tries) noexcept {
  return std::min(pto_ns << std::min(tries, 10U), kPtoMaxNs);
}

}  // namespace mcplane::wire
