// See breaker.h.
#include "control/workers/breaker.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace mcplane::control {
namespace {

// The n-th time in a row n times as long, to a cap; chance spreads those that opened together.
std::uint64_t open_for_ns(const BreakerContext& context, std::uint32_t openings) noexcept {
  const BreakerSettings& settings = context.settings;
  const std::uint64_t longest = std::max(settings.open_max_ns, settings.open_ns);
  const std::uint64_t times = std::max<std::uint64_t>(openings, 1);
  const std::uint64_t span_ns = settings.open_ns > longest / times ? longest : settings.open_ns * times;
  return span_ns + static_cast<std::uint64_t>(settings.jitter * context.random.unit() * static_cast<double>(span_ns));
}

// With probes, before they are looked after.
std::uint64_t patience_ns(const BreakerSettings& settings) noexcept {
  return std::max<std::uint64_t>(settings.open_ns, 1);
}

BreakerReason reason_of(Health health) noexcept {
  return health == Health::kDown ? BreakerReason::kDown : BreakerReason::kAwaited;
}

}  // namespace

std::string_view name_of(BreakerState state) noexcept {
  constexpr std::string_view kNames[] = {"closed", "open", "half-open"};
  return kNames[raw(state)];
}

std::string_view name_of(BreakerMode mode) noexcept {
  constexpr std::string_view kNames[] = {"auto", "forced-open", "forced-closed"};
  return kNames[raw(mode)];
}

std::string_view name_of(BreakerReason reason) noexcept {
  constexpr std::string_view kNames[] = {"",       "failures in a row",    "share of failures", "failed probe",
                                         "forced", "health probe awaited", "health probe fails"};
  return kNames[raw(reason)];
}

std::string_view name_of(Health health) noexcept {
  constexpr std::string_view kNames[] = {"up", "awaited", "down"};
  return kNames[raw(health)];
}

Breaker::Breaker(Health health, std::uint64_t now_ns) noexcept : health_(health) {
  if (health == Health::kUp) return;
  state_ = BreakerState::kOpen;
  reason_ = reason_of(health);
  since_ns_ = due_ns_ = now_ns;
}

// Whoever opened it: it is shut as long as its health is what it is.
BreakerReason Breaker::reason() const noexcept {
  const bool by_health = state_ == BreakerState::kOpen && mode_ == BreakerMode::kAuto && health_ != Health::kUp;
  return by_health ? reason_of(health_) : reason_;
}

std::uint32_t Breaker::outcomes(const BreakerSettings& settings) const noexcept {
  return std::min(known_, settings.window);
}

std::uint32_t Breaker::failures(const BreakerSettings& settings) const noexcept {
  const std::uint32_t count = outcomes(settings);
  const auto first = [](std::uint64_t word, std::uint32_t bits) {
    return static_cast<std::uint32_t>(
        std::popcount(bits >= kWordBits ? word : word & ((std::uint64_t{1} << bits) - 1)));
  };
  return first(window_[0], count) + (count > kWordBits ? first(window_[1], count - kWordBits) : 0);
}

BreakerReason Breaker::why_open(const BreakerSettings& settings) const noexcept {
  if (in_a_row_ >= settings.consecutive) return BreakerReason::kInARow;
  const std::uint32_t count = outcomes(settings);
  const bool enough = count >= settings.outcomes_min;
  return enough && failures(settings) >= settings.failure_share * count ? BreakerReason::kShare : BreakerReason::kNone;
}

BreakerChange Breaker::on_outcome(bool failed, const BreakerContext& context) {
  if (state_ == BreakerState::kOpen) return BreakerChange::kNone;
  if (state_ == BreakerState::kHalfOpen) {
    if (failed) return open(BreakerReason::kProbe, context);
    return ++succeeded_ >= context.settings.probes ? close(context) : BreakerChange::kNone;
  }
  window_[1] = window_[1] << 1 | window_[0] >> (kWordBits - 1);
  window_[0] = window_[0] << 1 | (failed ? 1U : 0U);
  known_ = std::min(known_ + 1, kWindowMax);
  in_a_row_ = failed ? in_a_row_ + 1 : 0;
  // Held back until now.
  if (failed && health_ == Health::kDown && mode_ == BreakerMode::kAuto) return shut_out(context);
  const bool was_held_back = held_back_;
  const BreakerReason why = failed || was_held_back ? why_open(context.settings) : BreakerReason::kNone;
  const bool may_not = !context.may_open && mode_ == BreakerMode::kAuto;
  held_back_ = may_not && (why != BreakerReason::kNone || health_ == Health::kDown);
  if (held_back_) return was_held_back ? BreakerChange::kNone : BreakerChange::kHeldBack;
  if (why == BreakerReason::kNone || !failed || mode_ == BreakerMode::kForcedClosed) return BreakerChange::kNone;
  return open(why, context);
}

BreakerChange Breaker::poll(const BreakerContext& context) {
  if (context.now_ns < due_ns() || state_ == BreakerState::kClosed) return BreakerChange::kNone;
  if (state_ == BreakerState::kOpen || !context.probes_run) return probe(context);
  due_ns_ = context.now_ns + patience_ns(context.settings);
  return BreakerChange::kNone;
}

BreakerChange Breaker::force(BreakerMode mode, const BreakerContext& context) {
  const BreakerMode was = mode_;
  mode_ = mode;
  if (mode == BreakerMode::kForcedOpen) {
    if (state_ == BreakerState::kOpen) {
      due_ns_ = kNever;
      reason_ = BreakerReason::kForced;
      return BreakerChange::kNone;
    }
    return open(BreakerReason::kForced, context);
  }
  if (mode == BreakerMode::kForcedClosed)
    return state_ == BreakerState::kClosed ? BreakerChange::kNone : close(context);
  if (was == BreakerMode::kForcedOpen) {
    if (health_ == Health::kUp) return let_back(context);
    reason_ = reason_of(health_);
    due_ns_ = context.now_ns;
    return BreakerChange::kNone;
  }
  const bool in = state_ == BreakerState::kClosed;
  return in && health_ != Health::kUp ? shut_out(context) : BreakerChange::kNone;
}

BreakerChange Breaker::on_health(Health health, const BreakerContext& context) {
  const Health before = std::exchange(health_, health);
  if (mode_ != BreakerMode::kAuto) return BreakerChange::kNone;
  if (health != Health::kUp) return state_ == BreakerState::kOpen ? BreakerChange::kNone : shut_out(context);
  if (state_ == BreakerState::kClosed) held_back_ = held_back_ && why_open(context.settings) != BreakerReason::kNone;
  if (state_ != BreakerState::kOpen) return BreakerChange::kNone;
  if (before == Health::kAwaited) return close(context);
  return context.now_ns >= due_ns_ ? let_back(context) : BreakerChange::kNone;
}

void Breaker::forget() noexcept {
  in_a_row_ = known_ = 0;
  held_back_ = false;
}

void Breaker::enter(BreakerState state, std::uint64_t now_ns) noexcept {
  const BreakerState before = std::exchange(state_, state);
  if (before != state) since_ns_ = now_ns;
  forget();
}

BreakerChange Breaker::open(BreakerReason reason, const BreakerContext& context) {
  enter(BreakerState::kOpen, context.now_ns);
  reason_ = reason;
  const bool forced = reason == BreakerReason::kForced;
  if (!forced) ++openings_;
  due_ns_ = forced ? kNever : context.now_ns + open_for_ns(context, openings_);
  return BreakerChange::kOpened;
}

// By its health, for as long as that lasts; no opening that would make the next one longer.
BreakerChange Breaker::shut_out(const BreakerContext& context) {
  if (state_ == BreakerState::kClosed && health_ == Health::kDown && !context.may_open)
    return std::exchange(held_back_, true) ? BreakerChange::kNone : BreakerChange::kHeldBack;
  enter(BreakerState::kOpen, context.now_ns);
  reason_ = reason_of(health_);
  due_ns_ = context.now_ns;
  return BreakerChange::kOpened;
}

// Switched off, breakers hear of no tasks that could prove anything.
BreakerChange Breaker::let_back(const BreakerContext& context) {
  return context.settings.enabled ? probe(context) : close(context);
}

// Again when none is left and none runs, and still not all have succeeded: what came of one was not heard, and nothing
// else would end the state.
BreakerChange Breaker::probe(const BreakerContext& context) {
  if (state_ != BreakerState::kHalfOpen) {
    enter(BreakerState::kHalfOpen, context.now_ns);
    succeeded_ = 0;
    permits_given_ = 0;
  }
  permits_given_ += permits(context.settings);
  due_ns_ = context.now_ns + patience_ns(context.settings);
  return BreakerChange::kProbing;
}

BreakerChange Breaker::close(const BreakerContext& context) {
  enter(BreakerState::kClosed, context.now_ns);
  reason_ = BreakerReason::kNone;
  openings_ = 0;
  due_ns_ = kNever;
  return BreakerChange::kClosed;
}

}  // namespace mcplane::control
