// Cycles of the timing wheel's operations, as tasks use them: nodes a cache line apart, taken in random order, a burst
// of 32 at a time. Argument: timers armed. Ticks are drawn from 30 s, so most nodes wait two levels up.
#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/types.h"
#include "dataplane/timing_wheel.h"

namespace mcplane::perf {
namespace {

using dataplane::TimerNode;
using dataplane::TimingWheel;

constexpr std::size_t kBurst = 32;
constexpr std::uint32_t kHorizonMs = 30'000;

struct alignas(kCacheLineBytes) Owner {  // as a task is
  TimerNode timer;
};
struct NodeOf {
  Owner* owners;
  TimerNode& operator()(std::uint32_t index) const noexcept { return owners[index].timer; }
};

class Timers {
 public:
  explicit Timers(std::uint32_t count) : owners_(count), order_(count), wheel_({owners_.data()}, 0) {
    std::iota(order_.begin(), order_.end(), 0U);
    for (std::uint32_t left = count; left > 1; --left) std::swap(order_[left - 1], order_[random_.below(left)]);
    for (std::uint32_t index : order_) wheel_.arm(index, draw());
  }
  TimingWheel<NodeOf>& wheel() { return wheel_; }

  // The timers that were touched longest ago.
  std::span<const std::uint32_t> next_burst() {
    if (at_ + kBurst > order_.size()) at_ = 0;
    return std::span(order_).subspan(std::exchange(at_, at_ + kBurst), kBurst);
  }
  std::uint32_t draw() { return wheel_.now() + 1 + random_.below(kHorizonMs); }
  std::array<std::uint32_t, kBurst> draw_burst() {
    std::array<std::uint32_t, kBurst> ticks;
    std::ranges::generate(ticks, [this] { return draw(); });
    return ticks;
  }
  std::uint32_t tick_of(std::uint32_t index) const { return owners_[index].timer.tick; }

 private:
  Random random_{1};
  std::vector<Owner> owners_;
  std::vector<std::uint32_t> order_;
  TimingWheel<NodeOf> wheel_;
  std::size_t at_ = 0;
};

// Cycles that a burst of calls took, operation(i).
template <class Operation>
std::uint64_t timed_burst(Operation&& operation) {
  const std::uint64_t start = __rdtsc();
  for (std::size_t i = 0; i < kBurst; ++i) operation(i);
  return __rdtsc() - start;
}

void wheel_change(benchmark::State& state) {
  Timers timers(static_cast<std::uint32_t>(state.range(0)));
  std::uint64_t later = 0, earlier = 0, disarm = 0, arm = 0, bursts = 0;
  for ([[maybe_unused]] auto unused : state) {
    const auto burst = timers.next_burst();
    later += timed_burst([&](std::size_t i) { timers.wheel().move(burst[i], timers.tick_of(burst[i]) + 1'000); });
    const auto sooner = timers.next_burst();
    earlier += timed_burst([&](std::size_t i) { timers.wheel().move(sooner[i], timers.tick_of(sooner[i]) / 2 + 1); });
    const auto ended = timers.next_burst();
    disarm += timed_burst([&](std::size_t i) { timers.wheel().disarm(ended[i]); });
    const auto ticks = timers.draw_burst();
    arm += timed_burst([&](std::size_t i) { timers.wheel().arm(ended[i], ticks[i]); });
    ++bursts;
  }
  if (timers.wheel().armed() != state.range(0)) state.SkipWithError("timers were lost");
  const auto each = [&](std::uint64_t cycles) {
    return static_cast<double>(cycles) / static_cast<double>(bursts * kBurst);
  };
  state.counters["move_later"] = each(later);
  state.counters["move_earlier"] = each(earlier);
  state.counters["disarm"] = each(disarm);
  state.counters["arm"] = each(arm);
}

// Time goes on a millisecond an iteration; what fires is armed again. Cascades are part of it.
void wheel_advance(benchmark::State& state) {
  Timers timers(static_cast<std::uint32_t>(state.range(0)));
  std::uint64_t fired = 0, cycles = 0, ticks = 0;
  for ([[maybe_unused]] auto unused : state) {
    const std::uint32_t tick = timers.wheel().now() + 1;
    const std::uint64_t start = __rdtsc();
    timers.wheel().advance(tick, ~0U, [&](std::uint32_t index) {
      timers.wheel().arm(index, timers.draw());
      ++fired;
    });
    cycles += __rdtsc() - start;
    ++ticks;
  }
  if (timers.wheel().armed() != state.range(0)) state.SkipWithError("timers were lost");
  state.counters["cycles_per_tick"] = static_cast<double>(cycles) / static_cast<double>(ticks);
  state.counters["fired_per_tick"] = static_cast<double>(fired) / static_cast<double>(ticks);
  state.counters["cycles_per_fired"] =
      static_cast<double>(cycles) / static_cast<double>(std::max<std::uint64_t>(fired, 1));
}

BENCHMARK(wheel_change)->ArgName("armed")->Arg(1'024)->Arg(32'768)->Arg(1'048'576);
BENCHMARK(wheel_advance)->ArgName("armed")->Arg(1'024)->Arg(32'768)->Arg(1'048'576)->Iterations(60'000);

}  // namespace
}  // namespace mcplane::perf

BENCHMARK_MAIN();
