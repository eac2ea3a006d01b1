// Read from the breakers themselves: there is no second copy of their state.
#include "control/reports/breaker_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "control/reports/json_line.h"

namespace mcplane::control {
namespace {

using Json = nlohmann::ordered_json;

Json breaker_json(const Control& control, const Session& session, std::optional<SkillId> skill) {
  const Breaker& breaker = control.breakers()[{session.worker, skill}];
  const BreakerSettings& settings = control.breakers().settings;
  const bool timed = breaker.state() == BreakerState::kOpen && breaker.due_ns() != Breaker::kNever;
  const std::uint64_t left_ns = timed ? breaker.due_ns() - std::min(breaker.due_ns(), control.now_ns()) : 0;
  return {{"node_id", fmt::format("{:08x}", session.id.value)},
          {"name", session.hello.name},
          {"action", skill ? session.hello.actions[raw(*skill)] : ""},
          {"state", name_of(breaker.state())},
          {"mode", name_of(breaker.mode())},
          {"reason", breaker.held_back() ? "held back: too many of its pool are out" : name_of(breaker.reason())},
          {"since_ms", breaker.since_ns() == 0 ? 0 : (control.now_ns() - breaker.since_ns()) / kNsPerMs},
          {"retry_in_ms", left_ns / kNsPerMs},
          {"openings", breaker.openings()},
          {"outcomes", breaker.outcomes(settings)},
          {"failures", breaker.failures(settings)},
          {"in_a_row", breaker.in_a_row()},
          {"probes_given", breaker.permits_given()}};
}

}  // namespace

std::string breakers_json(const Control& control) {
  std::vector<std::uint32_t> indices(control.registry().live().begin(), control.registry().live().end());
  std::ranges::sort(indices);
  Json breakers = Json::array();
  for (const std::uint32_t index : indices) {
    const Session& session = control.registry().at(index);
    if (!session.is_worker() || session.phase != Phase::kUp) continue;
    breakers.push_back(breaker_json(control, session, {}));
    control.for_skills_of(session, [&](SkillId skill) {
      const Breaker& breaker = control.breakers()[{session.worker, skill}];
      if (breaker.state() != BreakerState::kClosed || breaker.mode() != BreakerMode::kAuto || breaker.held_back())
        breakers.push_back(breaker_json(control, session, skill));
    });
  }
  const Json answer = {{"enabled", control.breakers().settings.enabled}, {"breakers", breakers}};
  return json_line(answer);
}

}  // namespace mcplane::control
