// See breaker.h.
#include "app/ctl/breaker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kNodeDigits = 8;

// Makes its digits small, as the appliance writes them.
std::string take_node(std::string& node) {
  std::ranges::transform(node, node.begin(), [](unsigned char digit) { return std::tolower(digit); });
  const bool sound = node.size() == kNodeDigits && node.find_first_not_of("0123456789abcdef") == std::string::npos;
  return sound ? "" : quote(node) + " is no node; it is 8 hexadecimal digits, see mcplane-ctl nodes";
}

std::string text(const Json& breaker, const char* key) { return string_of(breaker.at(key)); }

std::string all_or(const std::string& action) { return action.empty() ? "all" : action; }

Row breaker_row(const Json& breaker) {
  const auto left_ms = breaker.at("retry_in_ms").get<std::uint64_t>();
  return {text(breaker, "node_id"),
          text(breaker, "name"),
          all_or(text(breaker, "action")),
          text(breaker, "state"),
          text(breaker, "mode"),
          figure(breaker, "failures") + "/" + figure(breaker, "outcomes"),
          figure(breaker, "in_a_row"),
          figure(breaker, "openings"),
          left_ms == 0 ? "-" : fmt::format("{:.1f}s", static_cast<double>(left_ms) / 1'000),
          text(breaker, "reason")};
}

std::string breakers_text(const Json& answer) {
  const std::string off = answer.at("enabled").get<bool>() ? "" : "breakers are off\n";
  std::vector<Row> rows = {
      {"NODE", "NAME", "ACTION", "BREAKER", "MODE", "FAILED", "IN A ROW", "OPENINGS", "RETRY IN", "REASON"}};
  for (const Json& breaker : answer.at("breakers")) rows.push_back(breaker_row(breaker));
  return off + (rows.size() == 1 ? "no worker takes tasks\n" : aligned(rows));
}

}  // namespace

CLI::Option* add_node(CLI::App& command, std::string& node) {
  return command.add_option("NODE", node, "The worker's node id, see mcplane-ctl nodes")
      ->required()
      ->transform(CLI::Validator(take_node, ""));
}

void add_breaker_flags(CLI::App& command, BreakerFlags& flags) {
  command.require_subcommand(0, 1);
  add_admin_flags(command, flags.admin);
  command.add_subcommand("list", "Whose breaker is open, and why; the same as without a command")->fallthrough();
  for (const auto& [name, what] : {std::pair{"force-open", "Give a worker no tasks, until further notice"},
                                   std::pair{"force-closed", "Give it tasks whatever becomes of them"},
                                   std::pair{"auto", "Leave the breaker to itself again"}}) {
    CLI::App* const change = command.add_subcommand(name, what)->fallthrough();
    add_node(*change, flags.node);
    change->add_option("ACTION", flags.action, "Only for this action of its");
    change->callback([&flags, verb = std::string(name)] { flags.change = verb; });
  }
}

Request breaker_request(const BreakerFlags& flags) {
  if (flags.change.empty()) return {Method::kGet, "/v1/breakers"};
  const std::string only = flags.action.empty() ? "" : "?action=" + encoded(flags.action);
  return {Method::kPost, "/v1/breakers/" + flags.node + "/" + flags.change + only};
}

Parsed<std::string> breaker_table(std::string_view body) { return table_of(body, breakers_text); }

int run_breaker(const BreakerFlags& flags) { return ask_and_print(flags.admin, breaker_request(flags), breaker_table); }

}  // namespace mcplane::app
