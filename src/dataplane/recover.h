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

// The first timer of a state that the task has just entered with a frame of its own: queued, routed, delivering, or
// rejecting behind a REJECT that left.
void watch(Shard& shard, Task& task) noexcept;

// Enters the state and sends what it begins with: RESEND, REJECT, or CANCEL and REJECT.
void begin_pulling(Shard& shard, Task& task) noexcept;
void begin_rejecting(Shard& shard, Task& task) noexcept;
void begin_cancelling(Shard& shard, Task& task) noexcept;

}  // namespace mcplane::dataplane
