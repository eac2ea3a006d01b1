// CLI11 converts values before it looks at what is left over; here left-over arguments come first, since a mistyped
// flag often is why something else is missing.
#include "app/command_line/mistake.h"

#include <algorithm>
#include <cctype>
#include <numeric>

#include "app/command_line/units.h"

namespace mcplane::app {
namespace {

// The command that was typed, or the program itself.
const CLI::App& innermost(const CLI::App& app) {
  const auto typed = app.get_subcommands();
  return typed.empty() ? app : innermost(*typed.back());
}

// Of a command and of the program it belongs to.
std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::App* app = &command; app != nullptr; app = app->get_parent())
    for (const CLI::Option* option : app->get_options())
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  return flags;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

// "--udp HOST[:PORT]".
std::string form_of(const CLI::App& app, const std::string& flag) {
  const CLI::Option* const option = app.get_option_no_throw(flag);
  return option == nullptr || option->get_type_name().empty() ? flag : flag + " " + option->get_type_name();
}

// "mcplane-ctl perf".
std::string full_name(const CLI::App& command) {
  std::string name = command.get_name();
  for (const CLI::App* parent = command.get_parent(); parent != nullptr; parent = parent->get_parent())
    name = parent->get_name() + " " + name;
  return name;
}

std::string help_command(const CLI::App& app) { return full_name(app) + " --help"; }

std::string explain_left_over(const CLI::App& app, const std::string& typed) {
  const bool flag = typed.size() > 1 && typed[0] == '-';
  const bool command = !flag && !command_names(app).empty();
  const std::string name = flag ? typed.substr(0, typed.find('=')) : typed;
  const std::string meant = flag      ? nearest(name, flags_of(app))
                            : command ? nearest(name, command_names(app))
                                      : std::string();
  if (const CLI::App* const program = app.get_parent(); flag && program != nullptr) {
    if (app.get_option_no_throw(name) != nullptr)
      return name + " goes behind its command; type " + full_name(app) + " " + form_of(app, name);
    if (program->get_option_no_throw(name) != nullptr)
      return name + " goes before the command; type " + full_name(*program) + " " + form_of(*program, name) + " " +
             app.get_name();
  }
  std::string line =
      flag ? "unknown flag " + name : (command ? "unknown command " : "unexpected argument ") + quote(name);
  if (!meant.empty()) line += "; did you mean " + meant + "?";
  return line + " (" + help_command(app) + " lists all)";
}

bool is_among(std::string_view flag, std::span<const char* const> arguments) {
  return std::ranges::any_of(arguments, [&](std::string_view argument) {
    return argument.starts_with(flag) && (argument.size() == flag.size() || argument[flag.size()] == '=');
  });
}

// The flag that CLI11's message is about: "--cores: 1 required ...", "Could not convert: --json = maybe".
std::string flag_in(const std::string& message) {
  const std::size_t start = message.find("--");
  if (start == std::string::npos) return "";
  return message.substr(start, message.find_first_of(": =", start) - start);
}

// Levenshtein 1966: insertions, deletions and substitutions between the two, in one row of the table.
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t substituted = diagonal + (left[i] == right[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string explain_mistake(const CLI::App& app, const CLI::ParseError& error, std::span<const char* const> arguments) {
  const CLI::App& typed = innermost(app);
  if (const auto left_over = app.remaining(true); !left_over.empty())
    return explain_left_over(typed, left_over.front());
  const std::string message = error.what();
  const std::string flag = flag_in(message);
  const std::string see_help = " (" + help_command(typed) + " lists all)";
  const std::string positional = message.substr(0, message.find(" is required"));
  if (flag.empty() && typed.get_option_no_throw(positional) != nullptr) return positional + " is missing" + see_help;
  if (flag.empty() && error.get_name() == "ValidationError") return message + see_help;
  if (flag.empty()) return "type a command: " + alternatives(command_names(typed)) + see_help;
  // What was not typed came from the environment.
  const std::string where = is_among(flag, arguments) ? flag : environment_name(flag);
  const std::string kind = error.get_name();
  if (kind == "RequiredError") return flag + " is missing; type " + form_of(typed, flag) + see_help;
  if (kind == "ArgumentMismatch") return flag + " has no value; type " + form_of(typed, flag) + see_help;
  if (kind == "ConversionError") return where + " is a switch; type true or false, or the flag alone";
  if (kind == "ExcludesError")
    return flag + " does not go with " + message.substr(message.rfind(' ') + 1) + "; keep one";
  return where + message.substr(flag.size());
}

std::string environment_name(std::string_view flag) {
  std::string name = "MCPLANE_";
  for (const char letter : flag.substr(2))
    name += letter == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return name;
}

std::string alternatives(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : &word == &words.back() ? " or " : ", ") + word;
  return text;
}

std::string nearest(std::string_view typed, const std::vector<std::string>& candidates) {
  constexpr std::size_t kBytesMax = 64;  // bounds the table
  constexpr std::size_t kPrefixMin = 5;  // "--max"
  std::string best;
  std::size_t best_distance = std::min<std::size_t>(3, 1 + typed.size() / 4) + 1;
  if (typed.size() > kBytesMax) return best;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(typed, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  if (!best.empty() || typed.size() < kPrefixMin) return best;
  const auto begun = std::ranges::find_if(candidates, [&](const auto& name) { return name.starts_with(typed); });
  return begun == candidates.end() ? "" : *begun;
}

}  // namespace mcplane::app
