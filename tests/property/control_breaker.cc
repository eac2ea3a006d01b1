// The breaker against its table, written down on its own: for each state and event the next state, and a deque for the
// window. `meson test` runs 10,000 sequences.
#include <rapidcheck.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <vector>

#include "control/workers/breaker.h"

namespace mcplane::control {
namespace {

enum class Event : std::uint8_t {
  kSuccess,
  kFailure,
  kTimeUp,
  kTimeNotUp,
  kForceOpen,
  kForceClosed,
  kAuto,
  kDown,  // by health probes
  kUp,
  kCount
};
enum class Next : std::uint8_t {
  kSame,
  kCount,       // by the window
  kProbeCount,  // by the probes
  kOpen,        // by failures: longer the next time
  kHeldOpen,    // by people
  kProbe,       // when it is up and nobody holds it open
  kClosed,
  kReleased,  // from being held open: half-open if it is up
  kHeeded,    // from being held closed: open unless it is up
  kOut,       // unless people hold it, or too many are out
  kBack,      // half-open after what failures cost it; closed after its first success
};

// Rows: closed, open, half-open.
constexpr Next kTable[3][static_cast<std::size_t>(Event::kCount)] = {
    {Next::kCount, Next::kCount, Next::kSame, Next::kSame, Next::kHeldOpen, Next::kSame, Next::kHeeded, Next::kOut,
     Next::kSame},
    {Next::kSame, Next::kSame, Next::kProbe, Next::kSame, Next::kHeldOpen, Next::kClosed, Next::kReleased, Next::kSame,
     Next::kBack},
    {Next::kProbeCount, Next::kOpen, Next::kProbe, Next::kSame, Next::kHeldOpen, Next::kClosed, Next::kSame, Next::kOut,
     Next::kSame}};

class Model {
 public:
  Model(const BreakerSettings& settings, Health begun)
      : state(begun == Health::kUp ? BreakerState::kClosed : BreakerState::kOpen), health(begun), settings_(settings) {}

  void apply(Event event, bool may_open, std::uint64_t now_ns) {
    const Health before = health;
    if (event == Event::kDown) health = Health::kDown;
    if (event == Event::kUp) health = Health::kUp;
    switch (kTable[raw(state)][raw(event)]) {
      case Next::kSame:
        break;
      case Next::kCount:
        count(event == Event::kFailure, may_open);
        break;
      case Next::kProbeCount:
        if (++succeeded == settings_.probes) go(BreakerState::kClosed);
        break;
      case Next::kOpen:
        ++openings;
        go(BreakerState::kOpen);
        break;
      case Next::kHeldOpen:
        go(BreakerState::kOpen);
        break;
      case Next::kReleased:
        if (!held_open) break;
        served_ns = 0;
        if (health == Health::kUp) let_back();
        break;
      case Next::kHeeded:
        if (health == Health::kAwaited || (health == Health::kDown && may_open)) go(BreakerState::kOpen);
        break;
      case Next::kOut:
        if (!held_closed && (may_open || state == BreakerState::kHalfOpen)) go(BreakerState::kOpen);
        break;
      case Next::kBack:
        if (held_open) break;
        if (before == Health::kAwaited)
          go(BreakerState::kClosed);
        else if (now_ns >= served_ns)
          let_back();
        break;
      case Next::kProbe:
        if ((!held_open && health == Health::kUp) || state == BreakerState::kHalfOpen) probe();
        break;
      case Next::kClosed:
        go(BreakerState::kClosed);
        break;
    }
    if (event == Event::kForceOpen || event == Event::kForceClosed || event == Event::kAuto) {
      held_open = event == Event::kForceOpen;
      held_closed = event == Event::kForceClosed;
    }
  }

  BreakerState state;
  Health health;
  std::uint32_t openings = 0, succeeded = 0;
  std::uint64_t served_ns = 0;  // open: when what failures cost it is over
  std::uint64_t given = 0;      // permits, in this half-open state
  std::deque<bool> window;      // newest last
  bool held_open = false, held_closed = false;

 private:
  void count(bool failed, bool may_open) {
    window.push_back(failed);
    if (window.size() > settings_.window) window.pop_front();
    if (!failed || held_closed || !may_open) return;
    if (health == Health::kDown) return go(BreakerState::kOpen);
    const auto ok = std::find(window.rbegin(), window.rend(), false);
    const auto row = static_cast<std::size_t>(ok - window.rbegin());
    const auto failures = static_cast<double>(std::ranges::count(window, true));
    const bool share = window.size() >= settings_.outcomes_min &&
                       failures / static_cast<double>(window.size()) >= settings_.failure_share;
    if (row < settings_.consecutive && !share) return;
    ++openings;
    go(BreakerState::kOpen);
  }
  void let_back() { settings_.enabled ? probe() : go(BreakerState::kClosed); }
  void probe() {
    if (state != BreakerState::kHalfOpen) succeeded = 0, given = 0;
    go(BreakerState::kHalfOpen);
    given += settings_.probes - succeeded;
  }
  void go(BreakerState next) {
    state = next;
    window.clear();
    if (next == BreakerState::kClosed) openings = 0;
  }

  const BreakerSettings& settings_;
};

BreakerSettings any_settings() {
  BreakerSettings settings;
  settings.enabled = *rc::gen::element(true, true, true, false);
  settings.window = *rc::gen::inRange<std::uint32_t>(10, 101);
  settings.outcomes_min = *rc::gen::inRange<std::uint32_t>(1, settings.window + 1);
  settings.failure_share = *rc::gen::element(0.25, 0.5, 0.75, 1.0);
  settings.consecutive = *rc::gen::inRange<std::uint32_t>(1, 11);
  settings.open_ns = 1'000;
  settings.open_max_ns = *rc::gen::inRange<std::uint64_t>(1'000, 5'000);
  settings.jitter = *rc::gen::element(0.0, 0.1, 0.5);
  settings.probes = *rc::gen::inRange<std::uint32_t>(1, 8);
  return settings;
}

void expect_same(const Breaker& breaker, const Model& model, const BreakerSettings& settings) {
  RC_ASSERT(breaker.state() == model.state);
  RC_ASSERT(breaker.health() == model.health);
  RC_ASSERT(breaker.openings() == model.openings);
  if (model.state == BreakerState::kClosed) {
    RC_ASSERT(breaker.outcomes(settings) == model.window.size());
    RC_ASSERT(breaker.failures(settings) == static_cast<std::size_t>(std::ranges::count(model.window, true)));
  }
  if (model.state == BreakerState::kHalfOpen) {
    RC_ASSERT(breaker.permits(settings) == settings.probes - model.succeeded);
    RC_ASSERT(breaker.permits_given() == model.given);
  }
}

// The n-th time in a row n times as long, to the cap, and at most the jitter's share longer.
void expect_due(const Breaker& breaker, const Model& model, const BreakerSettings& settings, std::uint64_t now_ns) {
  if (model.held_open || model.health != Health::kUp) return RC_ASSERT(breaker.due_ns() == Breaker::kNever);
  const double span =
      std::min(static_cast<double>(settings.open_ns) * model.openings, static_cast<double>(settings.open_max_ns));
  const auto wait = static_cast<double>(breaker.due_ns() - now_ns);
  RC_ASSERT(wait >= span - 1);
  RC_ASSERT(wait <= span * (1 + settings.jitter) + 1);
}

void does_what_its_table_says() {
  const BreakerSettings settings = any_settings();
  Random random(*rc::gen::arbitrary<std::uint64_t>());
  std::uint64_t now_ns = 5;
  const Health begun = *rc::gen::element(Health::kUp, Health::kAwaited);
  Breaker breaker(begun, now_ns);
  Model model(settings, begun);
  // Failures in runs and shares of all kinds; people interfere seldom.
  const auto failing = *rc::gen::inRange(0, 101);
  for (const std::uint32_t drawn :
       *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::arbitrary<std::uint32_t>())) {
    const BreakerContext context{settings, random, now_ns, (drawn >> 8) % 8 != 0, false};
    const std::uint32_t kind = (drawn >> 16) % 32;
    Event event = static_cast<int>(drawn % 101) < failing ? Event::kFailure : Event::kSuccess;
    if (kind >= 20) event = kind < 23 ? Event::kTimeUp : static_cast<Event>(raw(Event::kTimeNotUp) + (kind - 23) % 6);
    const BreakerState before = model.state;
    model.apply(event, context.may_open, now_ns);
    switch (event) {
      case Event::kSuccess:
      case Event::kFailure:
        breaker.on_outcome(event == Event::kFailure, context);
        break;
      case Event::kTimeUp:
        now_ns = breaker.due_ns() != Breaker::kNever ? breaker.due_ns() : now_ns + settings.open_ns;
        breaker.poll({settings, random, now_ns, true, false});
        break;
      case Event::kTimeNotUp:
        if (breaker.due_ns() != Breaker::kNever) breaker.poll({settings, random, breaker.due_ns() - 1, true, false});
        break;
      case Event::kForceOpen:
        breaker.force(BreakerMode::kForcedOpen, context);
        break;
      case Event::kForceClosed:
        breaker.force(BreakerMode::kForcedClosed, context);
        break;
      case Event::kDown:
        breaker.on_health(Health::kDown, context);
        break;
      case Event::kUp:
        breaker.on_health(Health::kUp, context);
        break;
      default:
        breaker.force(BreakerMode::kAuto, context);
    }
    expect_same(breaker, model, settings);
    if (before == model.state || model.state != BreakerState::kOpen) continue;
    expect_due(breaker, model, settings, now_ns);
    const bool by_failures = !model.held_open && model.health == Health::kUp;
    model.served_ns = by_failures ? breaker.due_ns() : 0;
  }
}

}  // namespace
}  // namespace mcplane::control

int main() {
  return rc::check("a breaker does what its table says", mcplane::control::does_what_its_table_says) ? EXIT_SUCCESS
                                                                                                     : EXIT_FAILURE;
}
