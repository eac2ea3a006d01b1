// See autoscale.h.
#include "app/ctl/autoscale.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

Row pool_row(const Json& pool) {
  return {list_text(pool.at("actions")), list_text(pool.at("models")),
          list_text(pool.at("tags")),    figure(pool, "ready") + "/" + figure(pool, "workers"),
          figure(pool, "slots"),         figure(pool, "in_flight"),
          figure(pool, "queued"),        fmt::format("{:.0f}%", 100 * pool.at("utilisation").get<double>()),
          figure(pool, "recommended"),   figure(pool, "desired")};
}

std::string pools_text(const Json& answer) {
  std::vector<Row> rows = {
      {"ACTIONS", "MODELS", "TAGS", "READY", "SLOTS", "IN FLIGHT", "QUEUED", "USED", "NOW", "DESIRED"}};
  for (const Json& pool : answer.at("pools")) rows.push_back(pool_row(pool));
  if (rows.size() == 1) return "no worker is registered; next: mcplane-worker --broker HOST --backend echo\n";
  return aligned(rows);
}

}  // namespace

Parsed<std::string> autoscale_table(std::string_view body) { return table_of(body, pools_text); }

int run_autoscale(const AdminFlags& flags) {
  return ask_and_print(flags, {Method::kGet, "/v1/autoscale"}, autoscale_table);
}

}  // namespace mcplane::app
