// A client's slots: what a SEND or CANCEL means by the exchange it names. All run on the shard's core.
#pragma once

#include "dataplane/admission.h"
#include "dataplane/shard.h"

namespace mcplane::dataplane {

// kNone when the session is a client's and was granted that slot.
inline DropReason check_slot(const Session& session, std::uint32_t slot) noexcept {
  if (!wire::is_client(session.record.service)) return DropReason::kWrongService;
  return slot < session.record.slot_limit ? DropReason::kNone : DropReason::kBadSlot;
}

// The slot rule for a first SEND: undecided when it is the next exchange, which then is the slot's; whatever the last
// one left behind is over. Otherwise the verdict on it: a duplicate, or out of order.
Verdict claim_slot(Shard& shard, net::Packet& packet, Frame& frame, Session& client, ClientSlot& slot) noexcept;

// No task came of the exchange: REJECT(reason, executed=no), now and to every duplicate. The slots of the workers that
// could have had it are said once.
struct Refused {
  Refusal why;
  Slots slots{};
};
Verdict refuse(Shard& shard, net::Packet& packet, Frame& frame, const Session& client, ClientSlot& slot,
               const Refused& refused) noexcept;

// The slot's task, once its outcome is on its way; null otherwise.
Task* answered_task(Shard& shard, const ClientSlot& slot) noexcept;

// Of a task's client; null when the client is gone, or knows the outcome.
ClientSlot* slot_of(Shard& shard, const Task& task) noexcept;

}  // namespace mcplane::dataplane
