// What one simulated run is made of, as plain values: sizes, load, faults and what of the harness is broken on purpose.
// A seed draws all of it (swarm.h), so a run is its seed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/planted_bug.h"
#include "base/random.h"
#include "base/types.h"
#include "control/config/settings.h"

namespace mcplane::sim {

// Things that happen to machines, as opposed to frames.
enum class Mishap : std::uint8_t {
  kClog,         // a direction of a peer delivers nothing, then all at once
  kPartition,    // a direction loses everything, of a peer or of all of a port's; the other goes on
  kWorkerCrash,  // comes back as a new instance on the same address
  kWorkerLeave,  // says BYE, finishes what it runs, then comes back
  kClientCrash,
  kClientLeave,
  kCorePause,
  kControlStall,
  kLinkFlap,
  kBrokerRestart,   // dies with all it knows; another life begins on the same addresses
  kRingFull,        // the NIC takes nothing from a core's send queues any more
  kPoolExhaustion,  // somebody else holds every buffer that is free
  kCount
};
inline constexpr std::size_t kMishaps = static_cast<std::size_t>(Mishap::kCount);
inline constexpr std::array<std::string_view, kMishaps> kMishapNames = {
    "clog",        "partition",       "worker crash", "worker leaves",   "client crash", "client leaves",
    "core paused", "control stalled", "link flap",    "broker restarts", "ring full",    "pool exhausted"};

struct Faults {
  // Of a frame, each direction; probabilities.
  double loss = 0, duplicate = 0, reorder = 0, corrupt = 0;
  std::uint64_t delay_min_ns = 1'000, delay_max_ns = 50'000;
  std::uint64_t reorder_ns = 0;  // a reordered or repeated frame comes up to this much later
  double late_drain = 0;         // the NIC sends what a core gave it only after the core's next loop
  // Mishaps: mean time between two, 0: never; which of them; and how long each lasts at most.
  std::uint64_t mishap_interval_ns = 0;
  std::array<bool, kMishaps> mishaps{};
  std::uint64_t clog_max_ns = 0, partition_max_ns = 0, down_max_ns = 0, pause_max_ns = 0, stall_max_ns = 0;

  bool may_befall(Mishap what) const noexcept {
    return mishap_interval_ns != 0 && mishaps[static_cast<std::size_t>(what)];
  }
};

// What a run's load and faults leave no excuse for.
enum class Promise : std::uint8_t {
  kNone,
  kDelivery,  // frames are lost, repeated and damaged, or machines pause, but none dies and time is plenty: every task
              // is answered
  kEconomy,   // no frame is lost or late: nothing is sent twice, and acknowledgements are few
};

struct Sizes {
  std::uint32_t shards = 1, ports = 1, queues = 1;
  std::uint32_t clients = 1, workers = 1, shadow_workers = 0;
  std::uint32_t buffers = 2'048, handoff_frames = 256, tx_capacity = 0;
  std::uint16_t burst = 32;
  std::uint32_t max_tasks = 1'024, max_queued = 256, max_routes = 64;
  std::uint16_t client_slots = 256;
  bool steered = true;  // a NIC gives each frame to its shard's queue; otherwise by a hash of its flow
};

struct Load {
  std::uint32_t tasks = 1'000;
  std::uint64_t interval_ns = 1'000'000;  // mean, between two bursts of one client
  std::uint32_t burst_max = 1;
  std::uint32_t ttl_min_ms = 20, ttl_max_ms = 500;
  std::uint64_t service_min_ns = 100'000, service_max_ns = 5'000'000;
  std::uint32_t payload_max = 200, answer_max = 200;  // bytes
  std::uint32_t selectors = 4;                        // of tasks; some of them nobody serves
  double idempotent = 0, cancelled = 0;  // of all tasks: may run more than once; their clients give them up
  double shadow = 0, mirror = 0;         // of all tasks: for shadow workers only; of the others: copied to such
  std::uint16_t worker_slots_min = 1, worker_slots_max = 8;
  std::uint32_t worker_heartbeat_ms = 100, client_heartbeat_ms = 1'000;
  // Different ones of each selector, whose tasks have the same payload and the same answer; 0: each task has its own.
  std::uint32_t questions = 0;
  // Of tasks: payload or answer of up to long_max bytes, in parts; of their answers: given piece by piece.
  double in_parts = 0, streamed = 0;
  std::uint32_t long_max = 0;
  std::uint64_t failing_ns = 0;         // workers answer nothing but errors for so long, in turns; 0: none does
  bool failing_alone = false;           // to tasks of the first selector alone
  std::uint64_t probe_interval_ns = 0;  // of workers' health probes; 0: none names one
  std::uint64_t news_interval_ns = 0;   // mean, between two frames about events of one peer; 0: there are none
};

// A harness that could not fail proves nothing: each of these must be found.
enum class Sabotage : std::uint8_t {
  kNone,
  kDeliverTwice,    // an outcome passes the engine's dedup a second time
  kRunTwice,        // a worker runs a task again
  kWithholdBuffer,  // a packet buffer is taken and never given back
  kSwallowOutcome,  // a client never hears an outcome
  kMisdeliver,      // a DELIVER is seen on its way to another client
  kStealSlot,       // a worker's slot is taken and never returned
  kDenyExecution,   // an outcome says that a task which ran did not
  kMiscountFrame,   // a shard counts a frame it never received
  kRouteElsewhere,  // a ROUTE is seen to leave for a second worker
  kCorruptAnswer,   // an answer is not what its worker said
  kCount
};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(Sabotage::kCount)> kSabotageNames = {
    "none",       "deliver-twice",  "run-twice",      "withhold-buffer", "swallow-outcome", "misdeliver",
    "steal-slot", "deny-execution", "miscount-frame", "route-elsewhere", "corrupt-answer"};

struct Options {
  std::uint64_t seed = 0;
  Sizes sizes;
  Faults faults;
  Load load;
  control::BreakerSettings breaker{.enabled = false};
  control::DegradeSettings degrade;  // of all routes
  Promise promise = Promise::kNone;
  bool drain_broker = false;  // at the end of the faulty time, for good
  Sabotage sabotage = Sabotage::kNone;
  PlantedBug plant = PlantedBug::kNone;
};

inline bool chance(Random& random, double probability) noexcept { return random.unit() < probability; }
// Uniform, both ends included; fewer than 2^32 values.
inline std::uint32_t between(Random& random, std::uint32_t low, std::uint32_t high) noexcept {
  return low + random.below(high - low + 1);
}
inline std::uint64_t between_ns(Random& random, std::uint64_t low, std::uint64_t high) noexcept {
  return low + static_cast<std::uint64_t>(random.unit() * static_cast<double>(high - low + 1));
}

}  // namespace mcplane::sim
