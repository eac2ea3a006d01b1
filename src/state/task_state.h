// Where a task is between its SEND and its end; schemas/README.md draws the machine. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mcplane::state {

enum class TaskState : std::uint8_t {
  kFree,        // no task
  kQueued,      // its frame waits here for a worker
  kRouted,      // ROUTE left; the worker has not said that it came
  kRunning,     // the worker has it
  kPulling,     // its worker is gone; RESEND asks the client for the payload, for another one
  kDelivering,  // DELIVER left; the client has not said that it came
  kRejecting,   // a late REJECT left; likewise
  kCancelling,  // ended for the client, or being so; the worker's slot is not back
  kCount
};

inline constexpr std::size_t kTaskStates = static_cast<std::size_t>(TaskState::kCount);
inline constexpr std::array<std::string_view, kTaskStates> kTaskStateNames = {
    "free", "queued", "routed", "running", "pulling", "delivering", "rejecting", "cancelling"};

// The task's outcome is not decided yet.
constexpr bool is_open(TaskState state) noexcept {
  return state >= TaskState::kQueued && state <= TaskState::kDelivering;
}
// Its client was told the outcome, or will be once the worker's slot is back.
constexpr bool is_told(TaskState state) noexcept { return state >= TaskState::kDelivering; }
// A worker has it, and somebody waits for the answer.
constexpr bool is_with_worker(TaskState state) noexcept {
  return state == TaskState::kRouted || state == TaskState::kRunning;
}
constexpr bool holds_worker_slot(TaskState state) noexcept {
  return is_with_worker(state) || state == TaskState::kCancelling;
}

}  // namespace mcplane::state
