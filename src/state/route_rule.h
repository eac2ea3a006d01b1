// What people said about the tasks of a route (control/config/settings.h), as the cores need it. Plain values; part of
// a snapshot.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"
#include "state/policy.h"
#include "state/task_limits.h"
#include "wire/header.h"

namespace mcplane::state {

// What stands in for the workers of a route while none of them is in: all have left, or are out by their breakers.
struct Degradation {
  std::array<wire::Substitute, wire::kSubstitutes> chain{};  // in the order in which they are tried, up to None
  std::string action, model;                                 // of kFallback; "": the task's own
  std::vector<std::byte> reply;                              // payload of a DELIVER
};
inline constexpr std::uint16_t kNoDegradation = 0xffff;

struct RouteRule {
  Policy policy = Policy::kLeastOutstanding;
  // kSession, kPrefix: its worker gets a task while it holds fewer than so many times the pool's mean, and one.
  float imbalance = 1.25F;
  std::uint8_t shared_limit = kNoSharedLimit;  // whose state is in Shared::limits
  bool degraded = false;                       // its workers are not asked, whoever is in
  std::uint16_t degradation = kNoDegradation;  // number of its Degradation in the same snapshot
  std::uint32_t cache_ttl_ms = 0;              // its answers may stand in for so long; 0: they are not kept
  Limit limit{};                               // over all clients
  std::uint32_t mirror = 0;                    // of kMirrorWhole tasks, copied to shadow workers

  // What of it holds for shadow tasks: the choice among workers, so that a load test tells something. Nothing else.
  RouteRule for_shadow() const noexcept { return {.policy = policy, .imbalance = imbalance}; }
};
inline constexpr std::uint32_t kMirrorWhole = 1'000'000;

// A pool's workers in an order that was made in advance: a smooth round (kWeighted) or a Maglev table (kSourceHash,
// kSession, kPrefix). It may lag behind the pool: who left it gives no slot, and who is new is found without it.
using WorkerOrder = std::vector<WorkerId>;

}  // namespace mcplane::state
