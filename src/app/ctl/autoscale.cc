// See autoscale.h.
#include "app/ctl/autoscale.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

// "embed, generate"; "-" for none.
std::string names(const Json& list) {
  std::string text;
  for (const Json& name : list) text += (text.empty() ? "" : ", ") + one_line(name.get<std::string>());
  return text.empty() ? "-" : text;
}

std::string count_text(const Json& pool, const char* key) { return std::to_string(pool.at(key).get<std::uint64_t>()); }

Row pool_row(const Json& pool) {
  return {names(pool.at("actions")),       names(pool.at("models")),
          names(pool.at("tags")),          count_text(pool, "ready") + "/" + count_text(pool, "workers"),
          count_text(pool, "slots"),       count_text(pool, "in_flight"),
          count_text(pool, "queued"),      fmt::format("{:.0f}%", 100 * pool.at("utilisation").get<double>()),
          count_text(pool, "recommended"), count_text(pool, "desired")};
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
