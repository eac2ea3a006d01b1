// See docs.h.
#include "app/command_line/docs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "app/command_line/cli.h"
#include "app/command_line/mistake.h"

namespace mcplane::app {
namespace {

using Options = std::vector<const CLI::Option*>;
using Apps = std::vector<const CLI::App*>;

bool is_positional(const CLI::Option& option) { return option.get_lnames().empty() && option.get_snames().empty(); }
bool takes_value(const CLI::Option& option) { return option.get_expected_max() > 0; }

Options options_of(const CLI::App& app, bool positional) {
  Options options;
  for (const CLI::Option* const option : app.get_options())
    if (is_positional(*option) == positional) options.push_back(option);
  return options;
}

Apps commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// A command, and what is typed before it: "breaker force-open".
void walk(const CLI::App& app, const std::string& path,
          const std::function<void(const CLI::App&, const std::string&)>& visit) {
  visit(app, path);
  for (const CLI::App* const command : commands_of(app))
    walk(*command, path + (path.empty() ? "" : " ") + command->get_name(), visit);
}

// Values of a flag: its type's, where that is written "a|b|c", or those its check allows, which CLI11 writes {a,b,c}.
std::vector<std::string> values_of(const CLI::Option& option) {
  std::string type = option.get_type_name();
  char between = '|';
  if (const std::size_t open = type.find('{'); open != std::string::npos) {
    between = ',';
    type = type.substr(open + 1, type.find('}') - open - 1);
  }
  const std::vector<std::string> values = CLI::detail::split(type, between);
  const bool words = std::ranges::all_of(type, [between](unsigned char letter) {
    return std::islower(letter) != 0 || letter == '-' || letter == static_cast<unsigned char>(between);
  });
  return values.size() > 1 && words ? values : std::vector<std::string>();
}

// Man page -----------------------------------------------------------------------------------------------------------

// Nothing in it is a request, and its dashes are those that are typed.
std::string roff(const std::string& text) {
  std::string escaped;
  for (const char letter : text) {
    if (letter == '\\')
      escaped += "\\e";
    else if (letter == '-')
      escaped += "\\-";
    else
      escaped += letter;
  }
  return !escaped.empty() && (escaped[0] == '.' || escaped[0] == '\'') ? "\\&" + escaped : escaped;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char letter) { return std::toupper(letter); });
  return text;
}

std::string flag_names(const CLI::Option& option) {
  std::string names;
  const auto add = [&names](const std::string& name) {
    names += (names.empty() ? "" : ", ") + std::string("\\fB") + roff(name) + "\\fR";
  };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  return names;
}

std::string entry(const CLI::Option& option) {
  std::string head = is_positional(option) ? "\\fI" + roff(option.get_name(true)) + "\\fR" : flag_names(option);
  if (!is_positional(option) && takes_value(option)) head += " \\fI" + roff(option.get_type_name()) + "\\fR";
  std::string text = roff(option.get_description());
  const auto values = values_of(option);
  if (is_positional(option) && !values.empty()) text += ". One of " + roff(CLI::detail::join(values, ", "));
  if (!option.get_default_str().empty()) text += ". Default: " + roff(option.get_default_str());
  return ".TP\n" + head + "\n" + text + ".\n";
}

// By the headings of the help, in their order.
std::string entries(const CLI::App& app) {
  std::string text;
  for (const CLI::Option* const option : options_of(app, true)) text += entry(*option);
  for (const CLI::Option* const option : options_of(app, false)) text += entry(*option);
  return text;
}

std::string usage(const CLI::App& app, const std::string& program, const std::string& path) {
  std::string text = ".B " + roff(program + (path.empty() ? "" : " " + path)) + "\n";
  if (!options_of(app, false).empty()) text += "[\\fIFLAGS\\fR]\n";
  for (const CLI::Option* const option : options_of(app, true)) {
    const std::string name = "\\fI" + roff(option->get_name(true)) + "\\fR";
    text += option->get_required() ? name + "\n" : "[" + name + "]\n";
  }
  if (!commands_of(app).empty())
    text += app.get_require_subcommand_min() > 0 ? "\\fICOMMAND\\fR\n" : "[\\fICOMMAND\\fR]\n";
  return text;
}

// What the program is, without the name that its help begins with.
std::string purpose(const CLI::App& program) {
  const std::string text = program.get_description(), name = program.get_name() + ": ";
  return text.starts_with(name) ? text.substr(name.size()) : text;
}

std::string without_end(std::string text) {
  while (!text.empty() && (text.back() == '.' || text.back() == '\n')) text.pop_back();
  return text;
}

// Completion ---------------------------------------------------------------------------------------------------------

std::string identifier(std::string name) {
  std::ranges::replace(name, '-', '_');
  return "_" + name;
}

std::string pattern(const std::string& path, const std::string& word) { return fmt::format("\"{} {}\"", path, word); }

// What may follow the flag: values, files, or what nobody can guess.
std::string reply_to(const CLI::Option& option) {
  const auto values = values_of(option);
  const std::string type = option.get_type_name();
  if (!values.empty()) return fmt::format("$(compgen -W \"{}\" -- \"$current\")", fmt::join(values, " "));
  return type == "PATH" || type == "FILE" ? "$(compgen -f -- \"$current\")" : "";
}

std::string words_case(const CLI::App& app, const std::string& program, const std::string& path) {
  std::vector<std::string> words;
  for (const CLI::App* const command : commands_of(app)) words.push_back(command->get_name());
  for (const CLI::Option* const option : options_of(app, true)) {
    const auto values = values_of(*option);
    words.insert(words.end(), values.begin(), values.end());
    if (option->get_name(true) == "NODE") words.push_back("$(" + identifier(program) + "_nodes)");
    if (option->get_name(true) == "FILE") words.emplace_back("$(compgen -f -- \"$current\")");
  }
  for (const CLI::Option* const option : options_of(app, false))
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  return fmt::format("    \"{}\") words=\"{}\" ;;\n", path, fmt::join(words, " "));
}

// The ids of who is registered, where the program can say so.
std::string nodes_function(const CLI::App& program) {
  const Apps commands = commands_of(program);
  const auto is_nodes = [](const CLI::App* command) { return command->get_name() == "nodes"; };
  if (std::ranges::none_of(commands, is_nodes)) return "";
  return fmt::format(
      "{}_nodes() {{\n"
      "  local i admin=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    [[ ${{COMP_WORDS[i]}} == --admin ]] && admin=(--admin \"${{COMP_WORDS[i + 1]}}\")\n"
      "  done\n"
      "  \"${{COMP_WORDS[0]}}\" nodes \"${{admin[@]}}\" 2>/dev/null | sed -n 's/^\\([0-9a-f]\\{{8\\}}\\) .*/\\1/p'\n"
      "}}\n\n",
      identifier(program.get_name()));
}

}  // namespace

std::string man_page(const CLI::App& program, int section) {
  const std::string& name = program.get_name();
  std::string text = fmt::format(".\\\" Made of the command tree of {}.\n.TH {} {} \"\" \"mcplane {}\" \"mcplane\"\n",
                                 name, roff(upper(name)), section, roff(std::string(version())));
  text += fmt::format(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{}", roff(name), roff(without_end(purpose(program))),
                      usage(program, name, ""));
  text += fmt::format(".SH DESCRIPTION\n{}\n", roff(upper(purpose(program).substr(0, 1)) + purpose(program).substr(1)));
  text += ".SH FLAGS\n" + entries(program);
  if (!commands_of(program).empty()) text += ".SH COMMANDS\n";
  walk(program, "", [&](const CLI::App& command, const std::string& path) {
    if (path.empty()) return;
    text += fmt::format(".SS {}\n{}.PP\n{}.\n{}", roff(path), usage(command, name, path),
                        roff(without_end(command.get_description())), entries(command));
  });
  text += ".SH NOTES\n";
  bool first = true;
  for (const std::string& line : CLI::detail::split(program.get_footer(), '\n'))
    text += (std::exchange(first, false) ? "" : ".PP\n") + roff(line) + "\n";
  return text;
}

std::string bash_completion(const CLI::App& program) {
  const std::string& name = program.get_name();
  const std::string function = identifier(name);
  std::string paths, words;
  std::map<std::string, std::string> values;  // patterns of flags, by what may follow them
  const auto add = [](std::string& patterns, const std::string& more) {
    patterns += (patterns.empty() ? "" : " | ") + more;
  };
  walk(program, "", [&](const CLI::App& app, const std::string& path) {
    const std::string key = path.empty() ? "" : " " + path;
    for (const CLI::App* const command : commands_of(app)) add(paths, pattern(key, command->get_name()));
    for (const CLI::Option* const option : options_of(app, false))
      if (takes_value(*option))
        for (const std::string& flag : option->get_lnames()) add(values[reply_to(*option)], pattern(key, "--" + flag));
    words += words_case(app, name, key);
  });
  std::string text = fmt::format("# Completion of {} in bash, made of its command tree.\n\n{}{}() {{\n", name,
                                 nodes_function(program), function);
  text +=
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=\"\" words=\"\" i\n"
      "  COMPREPLY=()\n";
  if (!paths.empty())
    text += fmt::format(
        "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "    case \"$command ${{COMP_WORDS[i]}}\" in\n"
        "      {}) command+=\" ${{COMP_WORDS[i]}}\" ;;\n"
        "    esac\n"
        "  done\n",
        paths);
  if (!values.empty()) text += "  case \"$command $previous\" in\n";
  for (const auto& [reply, patterns] : values)
    text += fmt::format("    {}) COMPREPLY=({}); return ;;\n", patterns, reply);
  if (!values.empty()) text += "  esac\n";
  text += "  case \"$command\" in\n" + words + "  esac\n";
  text += "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\n\n";
  return text + fmt::format("complete -F {} {}\n", function, name);
}

}  // namespace mcplane::app
