// What people may change while the appliance runs: the hot part of its configuration file, validated as a whole before
// control sees it. Defaults are what runs without a file. Plain values; a Settings is immutable once applied.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"
#include "state/policy.h"
#include "state/task_limits.h"
#include "wire/header.h"

namespace mcplane::control {

// A rate of 0 and a count of 0: not limited.
struct Limits {
  double tasks_per_s = 0;
  std::uint32_t burst = 0;        // tasks that may come at once; 0: a tenth of a second's
  std::uint32_t concurrency = 0;  // tasks accepted and not ended

  friend bool operator==(const Limits&, const Limits&) = default;
};

struct BreakerSettings {
  bool enabled = true;
  bool per_action = true;                     // and one for each action of a worker that has several
  std::uint32_t window = 100;                 // outcomes looked at, 10 to 100
  std::uint32_t outcomes_min = 20;            // before the share counts
  double failure_share = 0.5;                 // failed or slow, that opens
  std::uint32_t consecutive = 5;              // failures in a row, that open
  std::uint64_t slow_ns = 0;                  // in the worker, from which an answer counts as slow; 0: none does
  std::uint64_t open_ns = 30 * kNsPerSecond;  // the first time; the n-th time in a row n times as long
  std::uint64_t open_max_ns = 300 * kNsPerSecond;
  double jitter = 0.1;             // share of that time, drawn, that is added
  std::uint32_t probes = 3;        // tasks let through half-open; all must succeed
  double ejected_share_max = 0.5;  // of a pool's workers, out at once: of one alone, none unless it is 1
};

// How workers that name a health probe are asked (workers/probes.h).
struct ProbeSettings {
  std::uint64_t interval_ns = 5 * kNsPerSecond;
  std::uint64_t timeout_ns = kNsPerSecond;  // of one answer; at most the interval
  std::uint32_t rise = 2;                   // good answers in a row, that take a worker in again
  std::uint32_t fall = 3;                   // failures in a row, that take it out
  double jitter = 0.1;                      // of the interval, at most, drawn and added or taken off

  friend bool operator==(const ProbeSettings&, const ProbeSettings&) = default;
};

enum class DegradeWhen : std::uint8_t {
  kAuto,    // while none of its workers is in
  kAlways,  // whoever is in
  kNever,
};

// What stands in for the workers of a route, and when.
struct DegradeSettings {
  std::vector<wire::Substitute> chain;  // in the order in which they are tried, none twice; empty: nothing
  DegradeWhen when = DegradeWhen::kAuto;
  std::string reply;                                    // kReply: its text
  std::string fallback_action, fallback_model;          // kFallback: of the other workers; "": the task's own
  std::uint64_t cache_ttl_ns = 10 * 60 * kNsPerSecond;  // kCached: an older answer does not stand in

  friend bool operator==(const DegradeSettings&, const DegradeSettings&) = default;
};
// So that it fits every frame, whatever the MTU.
inline constexpr std::size_t kReplyBytesMax = 400;

// "cached, reply".
inline std::string chain_text(const std::vector<wire::Substitute>& chain) {
  std::string text;
  for (const wire::Substitute kind : chain)
    text.append(text.empty() ? "" : ", ").append(wire::kSubstituteNames[raw(kind)]);
  return text;
}

// What happens to tasks of one action, of every model unless one is named. The first that matches holds.
struct RouteSettings {
  std::string action;  // "*": every action
  std::string model;   // "": every model
  state::Policy policy = state::Policy::kLeastOutstanding;
  double imbalance = 1.25;  // session, prefix: its worker may hold so many times the mean of all, and 1
  Limits limits;            // over all clients
  DegradeSettings degrade;
  double mirror = 0;  // share of its tasks that are copied to shadow workers

  friend bool operator==(const RouteSettings&, const RouteSettings&) = default;
};
// "generate", "generate/llama": names one route, since no two are for the same action and model.
inline std::string name_of(const RouteSettings& route) {
  return route.model.empty() ? route.action : route.action + "/" + route.model;
}
// Routes that may have limits.
inline constexpr std::size_t kLimitedRoutesMax = state::kSharedLimits;

// Which tasks are traced besides those whose client says so and those that fail.
struct TraceSettings {
  double sample = 0;          // share of all tasks, by their trace ids
  std::uint64_t slow_ns = 0;  // from a SEND's arrival to its RESULT's; 0: none is slow

  friend bool operator==(const TraceSettings&, const TraceSettings&) = default;
};

// How many workers pools should have (workers/autoscale.h).
struct AutoscaleSettings {
  double target = 0.8;     // share of slots in use
  double tolerance = 0.1;  // of the target: a smaller difference changes nothing
  std::uint64_t up_window_ns = 0, down_window_ns = 300 * kNsPerSecond;
  std::uint32_t min = 1, max = 1'000;  // workers

  friend bool operator==(const AutoscaleSettings&, const AutoscaleSettings&) = default;
};

struct Settings {
  std::uint64_t slow_start_ns = 0;  // a new or recovered worker's slots grow from 1 to all in this time; 0: at once
  BreakerSettings breaker;
  ProbeSettings probe;
  TraceSettings trace;
  Limits client;  // each client
  std::vector<RouteSettings> routes;
  AutoscaleSettings autoscale;
};

}  // namespace mcplane::control
