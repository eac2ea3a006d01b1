// See outcomes.h.
#include "loadgen/outcomes.h"

namespace mcplane::loadgen {

Ending ending_of(const client::Completion& completion, EndedBy ended_by) noexcept {
  if (completion.broker_lost) return Ending::kBrokerLost;
  if (ended_by == EndedBy::kTimer) return Ending::kNoAnswer;
  switch (completion.reason) {
    case wire::Reason::Ok:
      if (!completion.delivered) return Ending::kOther;
      return completion.substitute == wire::Substitute::None ? Ending::kDelivered : Ending::kDegraded;
    case wire::Reason::WorkerError:
      return Ending::kWorkerError;
    case wire::Reason::NoWorker:
      return Ending::kNoWorker;
    case wire::Reason::QueueFull:
      return Ending::kQueueFull;
    case wire::Reason::Overloaded:
      return Ending::kOverloaded;
    case wire::Reason::RateLimited:
      return Ending::kRateLimited;
    case wire::Reason::TableFull:
      return Ending::kTableFull;
    case wire::Reason::TooLarge:
      return Ending::kTooLarge;
    case wire::Reason::Draining:
      return Ending::kDraining;
    case wire::Reason::Malformed:
      return Ending::kMalformed;
    case wire::Reason::Unsupported:
      return Ending::kUnsupported;
    case wire::Reason::Expired:
      return completion.executed == wire::Executed::No ? Ending::kExpiredUnrouted : Ending::kExpiredRouted;
    case wire::Reason::WorkerLost:
      return Ending::kWorkerLost;
    case wire::Reason::Cancelled:
      return Ending::kCancelled;
    default:
      return Ending::kOther;
  }
}

}  // namespace mcplane::loadgen
