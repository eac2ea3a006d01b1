// See routes.h.
#include "app/ctl/routes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

std::uint64_t count(const Json& json) { return json.get<std::uint64_t>(); }

// "3 in, 1 on trial, 2 out": those there are.
std::string workers_text(const Json& workers) {
  std::string parts;
  for (const auto& [key, name] : {std::pair{"in", "in"}, std::pair{"on_trial", "on trial"}, std::pair{"out", "out"}})
    if (count(workers.at(key)) > 0)
      parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", count(workers.at(key)), name);
  return parts.empty() ? "none" : parts;
}

// By class, the most urgent first: "0/2/0/0".
std::string waiting_text(const Json& waiting) {
  std::string classes;
  std::uint64_t all = 0;
  for (const Json& frames : waiting) {
    classes += fmt::format("{}{}", classes.empty() ? "" : "/", count(frames));
    all += count(frames);
  }
  return all == 0 ? "-" : classes;
}

std::string limits_text(const Json& limits) {
  if (limits.is_null()) return "-";
  std::string parts;
  if (const double rate = limits.at("tasks_per_s").get<double>(); rate > 0) parts = fmt::format("{}/s", rate);
  if (const std::uint64_t most = count(limits.at("concurrency")); most > 0)
    parts += fmt::format("{}{} of {} open", parts.empty() ? "" : ", ", count(limits.at("open")), most);
  return parts;
}

std::string degraded_text(const Json& degrade) {
  if (degrade.is_null()) return "-";
  return degrade.at("degraded").get<bool>() ? "yes: " + string_of(degrade.at("why")) : "no";
}

Row route_row(const Json& route) {
  const std::string model = string_of(route.at("model"));
  const Json& workers = route.at("workers");
  return {(route.at("shadow").get<bool>() ? "shadow " : "") + string_of(route.at("action")),
          model.empty() ? "any" : model,
          list_text(route.at("tags")),
          string_of(route.at("policy")),
          workers_text(workers),
          std::to_string(count(workers.at("slots"))),
          std::to_string(count(workers.at("in_flight"))),
          waiting_text(route.at("waiting")),
          limits_text(route.at("limits")),
          degraded_text(route.at("degrade"))};
}

std::string routes_text(const Json& answer) {
  std::vector<Row> rows = {
      {"ACTION", "MODEL", "TAGS", "POLICY", "WORKERS", "SLOTS", "BUSY", "WAITING 0/1/2/3", "LIMITS", "DEGRADED"}};
  for (const Json& route : answer.at("routes")) rows.push_back(route_row(route));
  return rows.size() == 1 ? "nothing is offered, asked for or configured; next: mcplane-worker --broker HOST\n"
                          : aligned(rows);
}

}  // namespace

Parsed<std::string> routes_table(std::string_view body) { return table_of(body, routes_text); }

int run_routes(const AdminFlags& flags) { return ask_and_print(flags, {Method::kGet, "/v1/routes"}, routes_table); }

}  // namespace mcplane::app
