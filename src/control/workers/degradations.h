// Which routes have something that stands in for their workers, whether it does, and what people said of it since: a
// command holds over the setting until it is taken back. Cores see for themselves when none of a task's workers is in;
// here it is seen for people. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/settings.h"
#include "control/log.h"
#include "control/workers/pools.h"
#include "state/route_snapshot.h"

namespace mcplane::control {

struct DegradableRoute {
  RouteSettings settings;             // as configured
  std::optional<DegradeWhen> forced;  // by command
  std::string_view why;               // "": its workers have its tasks
  std::uint64_t since_ns = 0;         // of why; 0: ever since

  DegradeWhen when() const noexcept { return forced.value_or(settings.degrade.when); }
};

class Degradations {
 public:
  // How often routes are looked at: no line of the log comes more often, for each.
  static constexpr std::uint64_t kLookIntervalNs = 100 * kNsPerMs;

  // The routes configured, from now on. What was said of one that is among them still holds.
  void set_routes(std::span<const RouteSettings> routes);
  // Commands laid over the settings.
  std::vector<RouteSettings> overlaid(std::span<const RouteSettings> routes) const;
  // nullopt: as configured. False: nothing stands in for a route of that name.
  bool force(std::string_view name, std::optional<DegradeWhen> when);
  // Says what begins and what ends.
  void look(const Pools& pools, std::uint64_t now_ns, Log& log);

  std::span<const DegradableRoute> routes() const noexcept { return routes_; }

 private:
  const DegradableRoute* find(std::string_view name) const;

  std::vector<DegradableRoute> routes_;
  std::uint64_t next_look_ns_ = 0, seen_ = 0;
  bool stale_ = true;
};

// "auto", "always" or "never".
std::string_view name_of(DegradeWhen when) noexcept;

// Makes the settings part of a rule of that snapshot.
void add_degradation(const DegradeSettings& settings, state::RouteSnapshot& snapshot, state::RouteRule& rule);

}  // namespace mcplane::control
