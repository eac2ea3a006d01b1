// The timing wheel against a sorted list: every timer fires at its tick, none twice, none early, from any start of the
// 32-bit clock, which wraps on the way.
#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "dataplane/timing_wheel.h"
#include "property/dataplane_properties.h"

namespace mcplane::dataplane {
namespace {

constexpr std::uint32_t kTimers = 48;
constexpr std::uint32_t kNoBudget = ~0U;
constexpr std::uint32_t kDelayMax = 0x7fffffffU;

struct NodeOf {
  TimerNode* nodes;
  TimerNode& operator()(std::uint32_t index) const noexcept { return nodes[index]; }
};

// The wheel and its model: by time since the start, which does not wrap, the timers due then.
class Clockwork {
 public:
  explicit Clockwork(std::uint32_t start) : start_(start), nodes_(kTimers), wheel_(NodeOf{nodes_.data()}, start) {}

  void arm(std::uint32_t timer, std::uint32_t delay) {
    disarm(timer);
    // A time that has passed fires at the next tick.
    due_[timer] = elapsed_ + std::max(delay, 1U);
    wheel_.arm(timer, tick() + delay);
    sorted_.emplace(*due_[timer], timer);
  }
  void disarm(std::uint32_t timer) {
    wheel_.disarm(timer);
    forget(timer);
  }
  // Advances, a bounded walk a call, until the wheel is there and no timer waits for want of budget. Each third timer
  // that fires is armed again from within.
  void advance(std::uint32_t ticks, std::uint32_t budget, std::uint32_t again) {
    const std::uint32_t target = tick() + ticks;
    for (;;) {
      const std::uint32_t fired = wheel_.advance(target, budget, [&](std::uint32_t timer) { on_fire(timer, again); });
      RC_ASSERT(fired <= budget);
      elapsed_ += wheel_.now() - (start_ + static_cast<std::uint32_t>(elapsed_));
      RC_ASSERT(wheel_.armed() == sorted_.size());
      if (wheel_.now() == target && fired < budget) break;
    }
    RC_ASSERT(sorted_.empty() || sorted_.begin()->first > elapsed_);
  }

  std::uint32_t tick() const { return wheel_.now(); }

 private:
  void on_fire(std::uint32_t timer, std::uint32_t again) {
    elapsed_ += wheel_.now() - (start_ + static_cast<std::uint32_t>(elapsed_));
    RC_ASSERT(!nodes_[timer].armed());
    RC_ASSERT(due_[timer] == std::optional(elapsed_));
    forget(timer);
    if (timer % 3 == 0 && again > 0) arm(timer, again);
  }
  void forget(std::uint32_t timer) {
    if (!due_[timer]) return;
    auto [at, end] = sorted_.equal_range(*due_[timer]);
    while (at != end && at->second != timer) ++at;
    RC_ASSERT(at != end);
    sorted_.erase(at);
    due_[timer].reset();
  }

  std::uint32_t start_;
  std::uint64_t elapsed_ = 0;  // ticks
  std::vector<TimerNode> nodes_;
  TimingWheel<NodeOf> wheel_;
  std::vector<std::optional<std::uint64_t>> due_ = std::vector<std::optional<std::uint64_t>>(kTimers);
  std::multimap<std::uint64_t, std::uint32_t> sorted_;
};

// Around a power of the wheel's levels, so that every level and its boundaries are met.
rc::Gen<std::uint32_t> any_delay() {
  return rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(0, 600), rc::gen::inRange<std::uint32_t>(65'000, 66'200),
                        rc::gen::inRange<std::uint32_t>(0xffff00, 0x1000200),
                        rc::gen::inRange<std::uint32_t>(kDelayMax - 300, kDelayMax));
}

rc::Gen<std::uint32_t> any_start() {
  return rc::gen::oneOf(rc::gen::arbitrary<std::uint32_t>(), rc::gen::inRange<std::uint32_t>(0xfffffc00U, 0xffffffffU),
                        rc::gen::inRange<std::uint32_t>(0x7ffffc00U, 0x80000400U),
                        rc::gen::inRange<std::uint32_t>(0x00fffc00U, 0x01000400U));
}

void random_operations() {
  Clockwork clockwork(*any_start());
  const auto steps = *rc::gen::inRange(10, 120);
  for (int step = 0; step < steps; ++step) {
    const auto timer = *rc::gen::inRange<std::uint32_t>(0, kTimers);
    switch (*rc::gen::inRange(0, 6)) {
      case 0:
      case 1:
      case 2:
        clockwork.arm(timer, *any_delay());
        break;
      case 3:
        clockwork.disarm(timer);
        break;
      case 4:
        clockwork.advance(*rc::gen::inRange<std::uint32_t>(0, 70'000), kNoBudget, *rc::gen::inRange(0U, 900U));
        break;
      default:
        clockwork.advance(*rc::gen::inRange<std::uint32_t>(0, 700), *rc::gen::inRange(1U, 4U), 0);
        break;
    }
  }
}

}  // namespace

bool check_timing_wheel() { return rc::check("the timing wheel is a sorted list", random_operations); }

}  // namespace mcplane::dataplane
