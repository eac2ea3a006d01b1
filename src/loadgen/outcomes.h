// How a task ended, as the load generator counts it: every sent task ends in exactly one of these. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "client/client_engine.h"

namespace mcplane::loadgen {

enum class Ending : std::uint8_t {
  kDelivered,
  kDegraded,  // answered, but not by a worker that was asked for
  kWorkerError,
  // Said by the broker.
  kNoWorker,
  kQueueFull,
  kOverloaded,
  kRateLimited,
  kTableFull,
  kTooLarge,
  kDraining,
  kMalformed,
  kUnsupported,
  kExpiredUnrouted,
  kExpiredRouted,
  kWorkerLost,
  kCancelled,
  kOther,
  // Not said by the broker: lost.
  kNoAnswer,
  kBrokerLost,
  kCount
};

inline constexpr std::size_t kEndings = static_cast<std::size_t>(Ending::kCount);

inline constexpr std::array<std::string_view, kEndings> kEndingNames = {
    "delivered",   "degraded",  "worker_error", "no_worker", "queue_full",  "overloaded",       "rate_limited",
    "table_full",  "too_large", "draining",     "malformed", "unsupported", "expired_unrouted", "expired_routed",
    "worker_lost", "cancelled", "other",        "no_answer", "broker_lost"};

constexpr std::string_view name_of(Ending ending) noexcept { return kEndingNames[static_cast<std::size_t>(ending)]; }
constexpr bool is_lost(Ending ending) noexcept { return ending == Ending::kNoAnswer || ending == Ending::kBrokerLost; }

// Who ended it: a frame of the broker, or a timer of our own engine.
enum class EndedBy : std::uint8_t { kFrame, kTimer };

Ending ending_of(const client::Completion& completion, EndedBy ended_by) noexcept;

}  // namespace mcplane::loadgen
