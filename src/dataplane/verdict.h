// What a station decided about a received frame. Every frame of a burst gets exactly one, and core_loop counts it
// once: forwarded, handed off, punted, completed, or dropped by reason.
#pragma once

#include <cstdint>

#include "base/drop_reason.h"
#include "base/types.h"

namespace mcplane::dataplane {

enum class Action : std::uint8_t {
  kContinue,  // not decided yet: on to the next station
  kForward,   // leaves in its own buffer: ROUTE, DELIVER, or an answer built in place
  kHandoff,   // belongs to shard `to`
  kPunt,      // copied to the control thread
  kComplete,  // its work is done here, or its task waits holding it
  kDrop,      // `reason` says why
};

struct Verdict {
  Action action = Action::kContinue;
  DropReason reason = DropReason::kNone;
  ShardId to{};
  std::uint8_t reserved = 0;  // so that it is moved as one word

  static constexpr Verdict forward() noexcept { return {.action = Action::kForward}; }
  static constexpr Verdict handoff(ShardId to) noexcept { return {.action = Action::kHandoff, .to = to}; }
  static constexpr Verdict punt() noexcept { return {.action = Action::kPunt}; }
  static constexpr Verdict complete() noexcept { return {.action = Action::kComplete}; }
  static constexpr Verdict drop(DropReason reason) noexcept { return {.action = Action::kDrop, .reason = reason}; }

  constexpr bool decided() const noexcept { return action != Action::kContinue; }
};

}  // namespace mcplane::dataplane
