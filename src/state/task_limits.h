// How much of what may come: rates as a theoretical arrival time (the generic cell rate algorithm, ITU-T I.371), which
// is a token bucket in one word, and how many tasks are open at once.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/types.h"

namespace mcplane::state {

// Plain values.
struct Limit {
  std::uint64_t interval_ns = 0;  // between tasks at the rate; 0: no limit
  std::uint64_t burst_ns = 0;     // so far ahead of the rate may tasks come: (burst - 1) intervals
  std::uint32_t concurrency = 0;  // open at once; 0: no limit

  bool any() const noexcept { return interval_ns > 0 || concurrency > 0; }
};

// Whether a task may come now, when what came before is paid for until `paid_until_ns`: then until when it is paid for
// with this one, else 0.
constexpr std::uint64_t pay(const Limit& limit, std::uint64_t paid_until_ns, std::uint64_t now_ns) noexcept {
  const std::uint64_t from_ns = paid_until_ns > now_ns ? paid_until_ns : now_ns;
  return from_ns - now_ns > limit.burst_ns ? 0 : from_ns + limit.interval_ns;
}
// How long a task has to wait that may not come now.
constexpr std::uint64_t debt_ns(const Limit& limit, std::uint64_t paid_until_ns, std::uint64_t now_ns) noexcept {
  return paid_until_ns - now_ns - limit.burst_ns;
}

// Limits of all clients together, shared by all cores. Relaxed: each is one word that stands for itself.
inline constexpr std::size_t kSharedLimits = 255;  // routes that have one
inline constexpr std::uint8_t kNoSharedLimit = 0xff;
struct alignas(kCacheLineBytes) SharedLimit {
  // Written by: core loops.
  std::atomic<std::uint64_t> paid_until_ns{0};
  std::atomic<std::uint32_t> open{0};
};

}  // namespace mcplane::state
