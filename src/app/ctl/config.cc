// A file's text goes to the appliance, which alone knows the flags it was started with: so every command judges a file
// as the appliance would. Mistakes come back as lines; exit code 4.
#include "app/ctl/config.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/config/source.h"

namespace mcplane::app {
namespace {

using Json = nlohmann::ordered_json;

// What is empty is told, or a line would end in an arrow.
std::string shown(const Json& json) {
  const std::string text = string_of(json);
  return text.empty() ? "(none)" : text;
}

std::string change_lines(const Json& changes) {
  std::string text;
  for (const Json& change : changes)
    text += fmt::format("{}: {} -> {}{}\n", string_of(change.at("key")), shown(change.at("before")),
                        shown(change.at("after")), change.at("restart").get<bool>() ? "  (needs a restart)" : "");
  return text;
}

// "generation 3, goes back by itself in 41s unless confirmed", then what waits for a restart.
std::string running_text(const Json& answer) {
  std::string text = fmt::format("generation {}", answer.at("generation").get<std::uint64_t>());
  if (const Json& left = answer.at("confirm_left_ms"); !left.is_null())
    text += fmt::format(", goes back by itself in {} unless confirmed; next: mcplane-ctl config confirm",
                        format_duration_ns((left.get<std::uint64_t>() + 999) / 1'000 * kNsPerSecond));
  text += "\n";
  if (const Json& pending = answer.at("pending"); !pending.empty())
    text += "from the next start on:\n" + change_lines(pending);
  return text;
}

std::string values_text(const Json& answer, bool origin) {
  std::vector<Row> rows = {{"KEY", "VALUE"}};
  if (origin) rows.front().emplace_back("FROM");
  for (const Json& value : answer.at("values")) {
    rows.push_back({string_of(value.at("key")), shown(value.at("value"))});
    if (origin) rows.back().push_back(string_of(value.at("origin")));
  }
  return running_text(answer) + "\n" + aligned(rows);
}

std::string show_text(const Json& answer) { return values_text(answer, false); }
std::string show_origin_text(const Json& answer) { return values_text(answer, true); }

std::string time_text(std::uint64_t unix_s) {
  return unix_s == 0 ? "at start"
                     : fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(static_cast<std::time_t>(unix_s)));
}

std::string history_text(const Json& answer) {
  std::vector<Row> rows = {{"GENERATION", "TIME", "HOW", "BY", "FILE"}};
  for (const Json& kept : answer.at("generations"))
    rows.push_back({std::to_string(kept.at("generation").get<std::uint64_t>()),
                    time_text(kept.at("unix_s").get<std::uint64_t>()), string_of(kept.at("how")),
                    string_of(kept.at("by")), string_of(kept.at("origin"))});
  return running_text(answer) + "\n" + aligned(rows);
}

std::string diff_text(const Json& answer) {
  const Json& changes = answer.at("changes");
  return changes.empty() ? "no difference\n" : change_lines(changes);
}

std::string applied_text(const Json& answer) { return diff_text(answer) + running_text(answer); }
std::string changed_text(const Json& answer) { return running_text(answer); }
std::string checked_text(const Json&) { return "sound\n"; }

Parsed<std::string> applied_table(std::string_view body) { return table_of(body, applied_text); }
Parsed<std::string> changed_table(std::string_view body) { return table_of(body, changed_text); }
Parsed<std::string> checked_table(std::string_view body) { return table_of(body, checked_text); }

std::string user_name() {
  const passwd* const user = ::getpwuid(::getuid());
  return user == nullptr ? fmt::format("uid {}", ::getuid()) : user->pw_name;
}

// The appliance's own lines.
int print_mistakes(const AdminFlags& flags, const Reply& reply) {
  const Json answer = Json::parse(reply.body, nullptr, false);
  std::string lines;
  if (answer.is_object() && answer.contains("mistakes"))
    for (const Json& line : answer["mistakes"])
      if (line.is_string()) lines += (lines.empty() ? "" : "\n") + string_of(line);
  if (lines.empty() && answer.is_object() && answer.contains("error") && answer["error"].is_string())
    lines = fmt::format("{}: {}", kCtlProgram, string_of(answer["error"]));
  if (flags.json) std::fputs(reply.body.c_str(), stdout);
  return end({reply.status == 422 ? kExitConfigInvalid : kExitRuntime, lines.empty() ? reply.body : lines});
}

int post(const AdminFlags& flags, const Request& request, Parsed<std::string> (*table)(std::string_view)) {
  const auto reply = ask(flags, request);
  if (!reply) return kExitBrokerUnreachable;
  return reply->status == 200 ? print_reply(flags, *reply, table) : print_mistakes(flags, *reply);
}

int post_file(const ConfigFlags& flags, const std::string& command, Parsed<std::string> (*table)(std::string_view)) {
  if (flags.file.empty())
    return end(
        failure(kCtlProgram, fmt::format("FILE is missing; type {} config {} FILE", kCtlProgram, command), kExitUsage));
  const auto text = read_text(flags.file);
  if (!text) return end(failure(kCtlProgram, text.error, kExitConfigInvalid));
  std::error_code error;
  const std::string path = std::filesystem::absolute(flags.file, error).lexically_normal();
  std::string target = fmt::format("/v1/config/{}?origin={}&by={}", command, encoded(path), encoded(user_name()));
  if (command == "apply" && flags.confirm_within_ns > 0)
    target += fmt::format("&confirm-within-ms={}", flags.confirm_within_ns / kNsPerMs);
  return post(flags.admin, {Method::kPost, target, *text.value}, table);
}

int roll_back(const ConfigFlags& flags) {
  std::string target = "/v1/config/rollback?by=" + encoded(user_name());
  if (!flags.generation.empty()) {
    if (const auto number = parse_count(flags.generation); !number)
      return end(failure(kCtlProgram, "GENERATION: " + number.error, kExitUsage));
    target += "&generation=" + flags.generation;
  }
  return post(flags.admin, {Method::kPost, target}, changed_table);
}

}  // namespace

void add_config_commands(CLI::App& config, ConfigFlags& flags) {
  config.require_subcommand(1);
  const auto add = [&](const char* name, const char* help) {
    CLI::App* const command = config.add_subcommand(name, help);
    command->group("Commands");
    add_admin_flags(*command, flags.admin);
    return command;
  };
  const auto add_file = [&](const char* name, const char* help) {
    CLI::App* const command = add(name, help);
    command->add_option("FILE", flags.file, "Configuration file, TOML")->type_name("");
    return command;
  };
  add_switch(*add("show", "What holds"), "--origin", flags.origin, "And where each value is from");
  add("history", "What was applied, when and by whom");
  add_file("check", "Say what is wrong with a file");
  add_file("diff", "What a file would change");
  constexpr Bounds kTrial{kNsPerSecond, 24 * 3'600 * kNsPerSecond};
  add_duration(*add_file("apply", "Run by a file from now on, all of it or nothing"), "--confirm-within",
               flags.confirm_within_ns, "Go back by itself unless `confirm` comes in time", kTrial)
      ->default_str("for good");
  add("confirm", "Keep what was applied with --confirm-within");
  add("rollback", "Run by an earlier generation again")
      ->add_option("GENERATION", flags.generation, "Its number [the one before]")
      ->type_name("");
}

Parsed<std::string> config_table(std::string_view body) { return table_of(body, show_text); }
Parsed<std::string> config_origin_table(std::string_view body) { return table_of(body, show_origin_text); }
Parsed<std::string> config_history_table(std::string_view body) { return table_of(body, history_text); }
Parsed<std::string> config_changes_table(std::string_view body) { return table_of(body, diff_text); }

int run_config(const CLI::App& config, const ConfigFlags& flags) {
  const std::string command = config.get_subcommands().front()->get_name();
  if (command == "show")
    return ask_and_print(flags.admin, {Method::kGet, "/v1/config"}, flags.origin ? config_origin_table : config_table);
  if (command == "history")
    return ask_and_print(flags.admin, {Method::kGet, "/v1/config/history"}, config_history_table);
  if (command == "check") return post_file(flags, command, checked_table);
  if (command == "diff") return post_file(flags, command, config_changes_table);
  if (command == "apply") return post_file(flags, command, applied_table);
  if (command == "confirm") return post(flags.admin, {Method::kPost, "/v1/config/confirm"}, changed_table);
  return roll_back(flags);
}

}  // namespace mcplane::app
