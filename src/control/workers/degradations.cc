// See degradations.h.
#include "control/workers/degradations.h"

#include <algorithm>
#include <array>
#include <utility>

#include "wire/payload.h"

namespace mcplane::control {
namespace {

std::string_view why_degraded(const DegradableRoute& route, const Pools& pools) {
  if (route.when() == DegradeWhen::kNever) return "";
  if (route.when() == DegradeWhen::kAlways) return route.forced ? "command" : "configuration";
  switch (pools.presence(route.settings.action, route.settings.model)) {
    case Presence::kSome:
      return "";
    case Presence::kProbing:
      return "breakers half-open";
    case Presence::kOut:
      return "breakers open";
    case Presence::kNobody:
      break;
  }
  return "no worker";
}

}  // namespace

std::string_view name_of(DegradeWhen when) noexcept {
  constexpr std::array<std::string_view, 3> kNames = {"auto", "always", "never"};
  return kNames[raw(when)];
}

const DegradableRoute* Degradations::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(routes_, [name](const DegradableRoute& route) { return name_of(route.settings) == name; });
  return found == routes_.end() ? nullptr : &*found;
}

void Degradations::set_routes(std::span<const RouteSettings> routes) {
  std::vector<DegradableRoute> next;
  for (const RouteSettings& route : routes) {
    if (route.degrade.chain.empty()) continue;
    const DegradableRoute* const known = find(name_of(route));
    next.push_back(known != nullptr ? *known : DegradableRoute{});
    next.back().settings = route;
  }
  routes_ = std::move(next);
  stale_ = true;
}

std::vector<RouteSettings> Degradations::overlaid(std::span<const RouteSettings> routes) const {
  std::vector<RouteSettings> laid(routes.begin(), routes.end());
  for (RouteSettings& route : laid)
    if (const DegradableRoute* const known = find(name_of(route))) route.degrade.when = known->when();
  return laid;
}

bool Degradations::force(std::string_view name, std::optional<DegradeWhen> when) {
  const DegradableRoute* const found = find(name);
  if (found == nullptr) return false;
  routes_[static_cast<std::size_t>(found - routes_.data())].forced = when;
  stale_ = true;
  next_look_ns_ = 0;
  return true;
}

void Degradations::look(const Pools& pools, std::uint64_t now_ns, Log& log) {
  if (now_ns < next_look_ns_ || (!stale_ && pools.changes() == seen_)) return;
  next_look_ns_ = now_ns + kLookIntervalNs;
  stale_ = false;
  seen_ = pools.changes();
  for (DegradableRoute& route : routes_) {
    const std::string_view why = why_degraded(route, pools);
    if (why == route.why) continue;
    const bool began = route.why.empty(), ends = why.empty();
    if (ends)
      log.info(now_ns, "route {} is not degraded any more, after {} ms", name_of(route.settings),
               (now_ns - route.since_ns) / kNsPerMs);
    else if (began)
      log.warning(now_ns, "route {} is degraded, {}: {}", name_of(route.settings), why,
                  chain_text(route.settings.degrade.chain));
    route.why = why;
    if (began || ends) route.since_ns = now_ns;
  }
}

void add_degradation(const DegradeSettings& settings, state::RouteSnapshot& snapshot, state::RouteRule& rule) {
  if (settings.chain.empty()) return;
  // Kept whether or not they may stand in now: a command may come, and find none.
  if (std::ranges::find(settings.chain, wire::Substitute::Cached) != settings.chain.end())
    rule.cache_ttl_ms = static_cast<std::uint32_t>(settings.cache_ttl_ns / kNsPerMs);
  if (settings.when == DegradeWhen::kNever) return;
  state::Degradation degradation{
      .chain = {}, .action = settings.fallback_action, .model = settings.fallback_model, .reply = {}};
  std::ranges::copy(settings.chain, degradation.chain.begin());
  degradation.reply = wire::write_answer(settings.reply);
  rule.degradation = snapshot.add_degradation(std::move(degradation));
  rule.degraded = settings.when == DegradeWhen::kAlways;
}

}  // namespace mcplane::control
