// A worker's circuit breaker: it stops giving tasks to who fails them, and tries with a few whether that is over
// (Nygard, Release It!, 2007, "Circuit Breaker"; counts and shares as in Envoy's outlier detection). Pure: outcomes,
// time and chance are arguments. Control thread.

//                 failures in a row, or a share of the window       a probe fails
//              ┌────────────────────────────────────────────┐  ┌───────────────────┐
//              │                                            ▼  ▼                   │
//         ┌─────────┐                                     ┌──────┐   time is up  ┌───────────┐
//     ───▶│ closed  │                                     │ open │──────────────▶│ half-open │
//         └─────────┘                                     └──────┘               └───────────┘
//              ▲                                                                   │   │   ▲
//              └───────────────────────────────────────────────────────────────────┘   └───┘ some came to nothing:
//                  all probes succeeded                                                      as many again
//
// Only a failure opens it, so successes may be told late. Open, it hears nothing: tasks that were under way when it
// opened count for neither side. People may hold it open or closed; left to itself again, who was held open is probed.
//
// Probes here are tasks. What health probes (probes.h) say of the worker is its Health, and both have to agree:
//   - down: open at once and as long as it is down; half-open when it is up again, but not before failed tasks' time;
//   - awaited, which a new worker with a health probe is until the first success: open, then closed;
//   - up, which a worker without one always is: as drawn.
// That takes no share of its own: a worker that is down counts among those of its pool that are out, and stays closed
// while too many are. One that is awaited had no tasks yet, so nobody loses by its being open.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/random.h"
#include "control/config/settings.h"

namespace mcplane::control {

enum class BreakerState : std::uint8_t { kClosed, kOpen, kHalfOpen };
enum class BreakerMode : std::uint8_t { kAuto, kForcedOpen, kForcedClosed };
enum class BreakerReason : std::uint8_t { kNone, kInARow, kShare, kProbe, kForced, kAwaited, kDown };
enum class Health : std::uint8_t { kUp, kAwaited, kDown };

std::string_view name_of(BreakerState state) noexcept;
std::string_view name_of(BreakerMode mode) noexcept;
std::string_view name_of(BreakerReason reason) noexcept;
std::string_view name_of(Health health) noexcept;

// What there is to do about it.
enum class BreakerChange : std::uint8_t {
  kNone,
  kOpened,    // no more tasks, from now on
  kProbing,   // permits() tasks
  kClosed,    // as before
  kHeldBack,  // nothing: it would have opened, and too many of its pool are out
};

struct BreakerContext {
  const BreakerSettings& settings;
  Random& random;
  std::uint64_t now_ns = 0;
  bool may_open = true;     // enough of its pool would be left
  bool probes_run = false;  // half-open: a task is at the worker, or may still go there
};

class Breaker {
 public:
  Breaker() = default;
  // Of a new worker: awaited, it begins open.
  Breaker(Health health, std::uint64_t now_ns) noexcept;

  // failed: or slow. What came of a task that was let through in the present state.
  BreakerChange on_outcome(bool failed, const BreakerContext& context);
  // At due_ns() or later.
  BreakerChange poll(const BreakerContext& context);
  BreakerChange force(BreakerMode mode, const BreakerContext& context);
  // The outcomes so far say nothing of it.
  void forget() noexcept;
  // Up or down, as often as it is found so: held back, it opens the first time that it may.
  BreakerChange on_health(Health health, const BreakerContext& context);

  BreakerState state() const noexcept { return state_; }
  BreakerMode mode() const noexcept { return mode_; }
  BreakerReason reason() const noexcept;  // that it is not closed
  Health health() const noexcept { return health_; }
  bool held_back() const noexcept { return held_back_; }
  std::uint32_t openings() const noexcept { return openings_; }  // in a row
  std::uint64_t since_ns() const noexcept { return since_ns_; }  // of the state
  // When poll() has something to do; kNever while it has not.
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  std::uint64_t due_ns() const noexcept { return health_ == Health::kUp ? due_ns_ : kNever; }
  // Half-open: tasks to let through, over all cores; and how many were, ever, in this state.
  std::uint32_t permits(const BreakerSettings& settings) const noexcept {
    return std::max(settings.probes, succeeded_ + 1) - succeeded_;
  }
  std::uint64_t permits_given() const noexcept { return permits_given_; }
  // Of the last `window` outcomes, at most kWindowMax, while it is closed.
  static constexpr std::uint32_t kWindowMax = 128;
  std::uint32_t outcomes(const BreakerSettings& settings) const noexcept;
  std::uint32_t failures(const BreakerSettings& settings) const noexcept;
  std::uint32_t in_a_row() const noexcept { return in_a_row_; }

 private:
  void enter(BreakerState state, std::uint64_t now_ns) noexcept;
  BreakerChange open(BreakerReason reason, const BreakerContext& context);
  BreakerChange shut_out(const BreakerContext& context);
  BreakerChange probe(const BreakerContext& context);
  BreakerChange let_back(const BreakerContext& context);
  BreakerChange close(const BreakerContext& context);
  BreakerReason why_open(const BreakerSettings& settings) const noexcept;

  // Outcomes while closed, newest in bit 0 of the first: 1 failed.
  static constexpr std::uint32_t kWordBits = kWindowMax / 2;
  std::uint64_t window_[2] = {0, 0};
  std::uint32_t known_ = 0, in_a_row_ = 0;  // outcomes in the window; failures since the last success
  std::uint32_t openings_ = 0, succeeded_ = 0;
  std::uint64_t since_ns_ = 0, due_ns_ = kNever, permits_given_ = 0;
  BreakerState state_ = BreakerState::kClosed;
  BreakerMode mode_ = BreakerMode::kAuto;
  BreakerReason reason_ = BreakerReason::kNone;
  Health health_ = Health::kUp;
  bool held_back_ = false;
};

}  // namespace mcplane::control
