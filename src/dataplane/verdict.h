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

struct alignas(std::uint32_t) Verdict {  // moved as one word
  Action action = Action::kContinue;
  DropReason reason = DropReason::kNone;
  ShardId to{};

  static constexpr Verdict forward() noexcept { return {Action::kForward, DropReason::kNone, {}}; }
  static constexpr Verdict handoff(ShardId to) noexcept { return {Action::kHandoff, DropReason::kNone, to}; }
  static constexpr Verdict punt() noexcept { return {Action::kPunt, DropReason::kNone, {}}; }
  static constexpr Verdict complete() noexcept { return {Action::kComplete, DropReason::kNone, {}}; }
  static constexpr Verdict drop(DropReason reason) noexcept { return {Action::kDrop, reason, {}}; }

  constexpr bool decided() const noexcept { return action != Action::kContinue; }
};

}  // namespace mcplane::dataplane
