// The candidates are judged here by the same lines that cores take slots from, a moment later: what they say of the
// moment is a good guess, of what stands against a worker it is the truth.
#include "control/reports/task_report.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "control/reports/json_line.h"
#include "control/reports/selectors.h"

namespace mcplane::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kCandidatesMax = 256;

Json node_json(const Control& control, SessionId id) {
  if (!id) return nullptr;
  const Session& session = control.registry().at(id.index());
  const bool known = session.id == id;
  return {{"node_id", fmt::format("{:08x}", id.value)}, {"name", known ? session.hello.name : ""}};
}

Json task_json(const Control& control, const state::TaskCopy& task) {
  const auto wanted = read_selector(task.selector);
  const bool queued = task.state == state::TaskState::kQueued;
  return {{"id", id_text(task.id)},
          {"token", token_text(task.token)},
          {"state", state::kTaskStateNames[raw(task.state)]},
          {"action", wanted ? wanted->action : ""},
          {"model", wanted ? wanted->model : ""},
          {"tags", wanted ? wanted->tags : std::vector<std::string>()},
          {"priority", wire::priority_of(task.flags)},
          {"idempotent", wire::has(task.flags, wire::Flag::Idempotent)},
          {"shadow", wire::is_shadow(task.flags)},
          {"mirror", task.mirror},
          {"degraded", task.degraded},
          {"shard", raw(task.token.shard())},
          {"client", node_json(control, task.client)},
          {"slot", task.slot},
          {"worker", node_json(control, task.worker)},
          {"attempt", task.attempt},
          {"tries", task.tries},
          {"client_knows", task.client_knows},
          {"answer_begun", task.answering},
          {"age_ms", task.age_ms},
          {"queued_ms", task.queued_us / 1'000},
          {"ttl_left_ms", task.ttl_left_ms},
          {"waiting_in_class", queued ? Json(task.waiting_in_class) : Json(nullptr)},
          {"waiting_in_route", queued ? Json(task.waiting_in_route) : Json(nullptr)}};
}

std::string_view phase_refusal(Phase phase) noexcept {
  return phase == Phase::kJoining ? "not heard on every shard yet" : phase == Phase::kDraining ? "draining" : "";
}

std::string breaker_refusal(const Control& control, const BreakerId& id) {
  const Breaker& breaker = control.breakers()[id];
  if (breaker.state() == BreakerState::kClosed) return "";
  const std::string_view whose = id.skill ? "its breaker for this action is " : "its breaker is ";
  if (breaker.state() == BreakerState::kHalfOpen) return fmt::format("{}half-open: only probes", whose);
  const std::uint64_t due_ns = breaker.due_ns();
  const std::string until = due_ns == Breaker::kNever || due_ns < control.now_ns()
                                ? std::string()
                                : fmt::format(", for another {} ms", (due_ns - control.now_ns()) / kNsPerMs);
  return fmt::format("{}open: {}{}", whose, name_of(breaker.reason()), until);
}

// What it does not offer; "": all is there.
std::string lack(const Session& session, const Wanted& wanted) {
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  if (session.is_shadow() != wanted.shadow) return wanted.shadow ? "takes no shadow tasks" : "takes shadow tasks only";
  if (!has(session.hello.actions, wanted.action)) return fmt::format("has no action '{}'", wanted.action);
  if (!wanted.model.empty() && !has(session.hello.models, wanted.model))
    return fmt::format("has no model '{}'", wanted.model);
  for (const std::string& tag : wanted.tags)
    if (!has(session.hello.tags, tag)) return fmt::format("has no tag '{}'", tag);
  return "";
}

bool in_pools(const state::RouteSnapshot& snapshot, const std::vector<std::uint32_t>& pools, const Session& session) {
  return std::ranges::any_of(pools, [&](std::uint32_t pool) { return snapshot.pool(pool).load == session.pool->load; });
}

// Why no new task of that kind goes there now; "": it may.
std::string refusal(const Control& control, const Session& session, const Wanted& wanted) {
  if (std::string lacking = lack(session, wanted); !lacking.empty()) return lacking;
  if (session.phase != Phase::kUp) return std::string(phase_refusal(session.phase));
  if (session.suspected) return "nobody listens at its port, says its host; it is asked";
  const state::RouteSnapshot& snapshot = *control.shared().routes.read();
  if (!in_pools(snapshot, pools_of(snapshot, wanted), session))
    return fmt::format("not among the first {} pools that serve it", state::RouteSnapshot::kPoolsPerRoute);
  if (std::string out = breaker_refusal(control, session.worker); !out.empty()) return out;
  if (session.hello.actions.size() > 1) {
    const auto skill = std::ranges::find(session.hello.actions, wanted.action) - session.hello.actions.begin();
    if (std::string out = breaker_refusal(control, {session.worker, static_cast<SkillId>(skill)}); !out.empty())
      return out;
  }
  const state::WorkerLine& line = control.shared().workers[session.worker];
  const std::uint32_t held = line.outstanding(), bound = line.bound.load(std::memory_order_relaxed);
  return held >= bound ? fmt::format("full: holds {} of {}", held, bound) : "";
}

Json candidate_json(const Control& control, const Session& session, const Wanted& wanted) {
  const state::WorkerLine& line = control.shared().workers[session.worker];
  const std::string why = refusal(control, session, wanted);
  return {{"node_id", fmt::format("{:08x}", session.id.value)},
          {"name", session.hello.name},
          {"takes_it", why.empty()},
          {"why_not", why},
          {"breaker", name_of(control.breakers()[session.worker].state())},
          {"outstanding", line.outstanding()},
          {"bound", line.bound.load(std::memory_order_relaxed)}};
}

// Who might have it first, then by name.
Json candidates_json(const Control& control, const Wanted& wanted, std::size_t& left_out) {
  std::vector<Json> all;
  for (const std::uint32_t index : control.registry().live()) {
    const Session& session = control.registry().at(index);
    if (session.is_worker()) all.push_back(candidate_json(control, session, wanted));
  }
  const auto order = [](const Json& json) {
    return std::tuple(!json["takes_it"].get<bool>(), json["name"].get<std::string>(),
                      json["node_id"].get<std::string>());
  };
  std::ranges::sort(all, {}, order);
  left_out = all.size() > kCandidatesMax ? all.size() - kCandidatesMax : 0;
  all.resize(all.size() - left_out);
  return all;
}

// What holds for all its workers alike; "": nothing.
std::string_view route_refusal(const Control& control, const Wanted& wanted) {
  if (control.draining()) return "the appliance drains";
  const RouteSettings* const settings = settings_for(control.settings()->routes, wanted);
  if (settings == nullptr || wanted.shadow) return "";
  for (const DegradableRoute& route : control.degradations().routes())
    if (name_of(route.settings) == name_of(*settings) && route.when() == DegradeWhen::kAlways)
      return "its route is degraded by command or configuration: no worker is asked";
  return "";
}

// nullopt: not so many hexadecimal digits.
std::optional<std::uint32_t> hex8(std::string_view digits) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != 8 || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string token_text(TaskToken token) { return fmt::format("{:08x}:{:08x}", token.location, token.generation); }

std::string id_text(const wire::Id16& id) {
  std::string text;
  for (std::size_t i = 0; i < id.size(); ++i)
    text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
  return text;
}

std::optional<Inquiry> inquiry_of(std::string_view name) {
  if (name.size() == 17 && name[8] == ':') {
    const auto location = hex8(name.substr(0, 8)), generation = hex8(name.substr(9));
    if (!location || !generation) return std::nullopt;
    const TaskToken token{*location, *generation};
    return Inquiry{.question = {.from = token.index(), .to = token.index() + 1, .generation = token.generation},
                   .shard = token.shard()};
  }
  std::string digits(name);
  std::erase(digits, '-');
  if (digits.size() != 2 * sizeof(wire::Id16)) return std::nullopt;
  wire::Id16 id;
  for (std::size_t i = 0; i < id.size(); i += 4) {
    const auto word = hex8(std::string_view(digits).substr(2 * i, 8));
    if (!word) return std::nullopt;
    for (std::size_t j = 0; j < 4; ++j) id[i + j] = static_cast<std::uint8_t>(*word >> (24 - 8 * j));
  }
  return Inquiry{.question = {.id = id}, .enough = state::Inspection::kCopiesMax};
}

std::string tasks_json(const Control& control, const Found& found) {
  std::vector<state::TaskCopy> ordered = found.tasks;
  std::ranges::stable_sort(ordered, std::ranges::greater{}, &state::TaskCopy::age_ms);
  Json tasks = Json::array();
  for (const state::TaskCopy& task : ordered) tasks.push_back(task_json(control, task));
  return json_line({{"tasks", tasks}, {"more", found.more}});
}

std::string explanation_json(const Control& control, const Found& found) {
  Json tasks = Json::array();
  for (const state::TaskCopy& task : found.tasks) {
    Json json = task_json(control, task);
    json["candidates"] = Json::array();
    std::size_t left_out = 0;
    if (const auto wanted = read_selector(task.selector)) {
      json["candidates"] = candidates_json(control, *wanted, left_out);
      json["route_refuses"] = route_refusal(control, *wanted);
    }
    json["candidates_left_out"] = left_out;
    tasks.push_back(json);
  }
  return json_line({{"tasks", tasks}});
}

}  // namespace mcplane::control
