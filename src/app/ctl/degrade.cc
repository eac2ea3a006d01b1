// See degrade.h.
#include "app/ctl/degrade.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

Row chain_row(const Json& route) {
  std::string chain;
  for (const Json& kind : route.at("chain")) chain += (chain.empty() ? "" : ", ") + one_line(kind.get<std::string>());
  const Json &command = route.at("command"), &since_ms = route.at("since_ms");
  return {one_line(route.at("route").get<std::string>()),
          chain,
          one_line(route.at("when").get<std::string>()),
          command.is_null() ? "-" : one_line(command.get<std::string>()),
          route.at("degraded").get<bool>() ? "yes" : "no",
          since_ms.is_null() ? "-" : age_text(since_ms.get<std::uint64_t>() / 1'000),
          one_line(route.at("why").get<std::string>())};
}

std::string chains_text(const Json& answer) {
  std::vector<Row> rows = {{"ROUTE", "CHAIN", "WHEN", "COMMAND", "DEGRADED", "SINCE", "WHY"}};
  for (const Json& route : answer.at("routes")) rows.push_back(chain_row(route));
  return rows.size() == 1 ? "no route has a chain; set degrade in a [[route]] of the configuration\n" : aligned(rows);
}

}  // namespace

void add_degrade_flags(CLI::App& command, DegradeFlags& flags) {
  add_admin_flags(command, flags.admin);
  CLI::Option* const route =
      command.add_option("ROUTE", flags.route, "Route as it is configured, ACTION or ACTION/MODEL; all are listed");
  CLI::Option* const change =
      command
          .add_option("CHANGE", flags.change,
                      "on: its workers get no tasks; off: nothing stands in; auto: as configured")
          ->check(CLI::IsMember({"on", "off", "auto"}));
  route->needs(change);
}

Request degrade_request(const DegradeFlags& flags) {
  if (flags.route.empty()) return {Method::kGet, "/v1/degradation"};
  return {Method::kPost, fmt::format("/v1/degradation/{}?route={}", flags.change, encoded(flags.route))};
}

Parsed<std::string> degradation_table(std::string_view body) { return table_of(body, chains_text); }

int run_degrade(const DegradeFlags& flags) {
  return ask_and_print(flags.admin, degrade_request(flags), degradation_table);
}

}  // namespace mcplane::app
