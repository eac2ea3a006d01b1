// What a shard does when nothing comes: it asks again, or says it again. All run on the shard's core.
//
//   state         first timer, after the ack delay    then, by PTO with backoff          until
//   kQueued       ACK(SEND)                           -                                  TTL
//   kRouted       ACK(SEND)                           RESEND(SEND): ROUTE again          TTL
//   kRunning      ACK(SEND)                           -                                  TTL
//   kPulling      -                                   RESEND(SEND)                       TTL
//   kDelivering   ACK(RESULT, Held)                   RESEND(RESULT): DELIVER again      TTL + grace
//   kRejecting    -                                   REJECT; RESEND(SEND): own answer    TTL + grace
//   kCancelling   -                                   CANCEL, REJECT                     the slot is back
#pragma once

#include "dataplane/shard.h"

namespace mcplane::dataplane {

// The wait, or what is left of the TTL where that is less and some is left.
inline std::uint32_t within_ttl(const Shard& shard, const Task& task, std::uint32_t wait_ms) noexcept {
  const std::uint32_t left_ms = task.deadline_ms - shard.now_ms;
  return left_ms - 1 < wait_ms ? left_ms : wait_ms;
}

// The first timer of a state that the task has just entered with a frame of its own: queued, routed, delivering, or
// rejecting behind a REJECT that left.
void watch_rarer(Shard& shard, Task& task) noexcept;  // rejecting, or one whose client knows that its SEND came
inline void watch(Shard& shard, Task& task) noexcept {
  const bool ack_first = task.state == TaskState::kDelivering || !task.client_knows;
  if (!ack_first || task.state == TaskState::kRejecting) return watch_rarer(shard, task);
  shard.wake(task, within_ttl(shard, task, shard.ack_wait_ms));
}

// Enters the state and sends what it begins with: RESEND, REJECT, or CANCEL and REJECT.
void begin_pulling(Shard& shard, Task& task) noexcept;
void begin_rejecting(Shard& shard, Task& task) noexcept;
void begin_cancelling(Shard& shard, Task& task) noexcept;

}  // namespace mcplane::dataplane
