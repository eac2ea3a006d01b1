// Made of the same tables that the file is read by, so it cannot tell of others.
#include "app/config/help.h"

#include <fmt/format.h>

#include "app/config/flags.h"
#include "app/config/keys.h"

namespace mcplane::app {
namespace {

// A bar would end the cell.
std::string cell(std::string text) { return CLI::detail::find_and_replace(std::move(text), "|", "\\|"); }

std::string row(const std::string& key, const std::string& takes, const std::string& standard, bool hot,
                const std::string& meaning) {
  return fmt::format("| `{}` | {} | {} | {} | {} |\n", key, cell(takes), cell(standard), hot ? "hot" : "restart",
                     cell(meaning));
}

}  // namespace

std::string config_help() {
  std::string text = "| Key | Takes | Default | Changes | Meaning |\n|---|---|---|---|---|\n";
  const control::Settings settings;
  for (const auto& key : settings_keys()) text += row(key.path, key.takes, key.show(settings), true, key.meaning);
  const control::RouteSettings route;
  for (const auto& key : route_keys()) text += row("route." + key.path, key.takes, key.show(route), true, key.meaning);
  text += row("port.device", "KIND:NAME", "", false, "In place of appliance.port, one [[port]] for each");
  text += row("port.ip", "ADDRESS/PREFIX", "", false, "Its addresses, one or a list");
  text += row("port.mac", "MAC", "", false, "Its Ethernet address");
  for (const RestartKey& key : restart_keys())
    text += row("appliance." + key.name, key.takes, key.standard, false, key.meaning);
  return text;
}

}  // namespace mcplane::app
