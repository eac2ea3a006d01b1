// CLI11 parses; what a flag takes, how help looks and what ends the program is decided here.
#include "app/command_line/cli.h"

#include <fmt/format.h>
#include <sched.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "app/command_line/docs.h"
#include "app/command_line/mistake.h"

namespace mcplane::app {
namespace {

// "  --rx-burst COUNT          Frames taken at once, 1 to 64 [32]"
class HelpFormat : public CLI::Formatter {
 public:
  HelpFormat() {
    column_width(38);
    label("OPTIONS", "FLAGS");
    label("SUBCOMMAND", "COMMAND");
  }

  // CLI11 puts two blank lines between groups.
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    return CLI::detail::find_and_replace(CLI::Formatter::make_help(app, std::move(name), mode), "\n\n\n", "\n\n");
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_size() == 0 ? "" : option->get_type_name();
    return type.empty() ? "" : " " + type;
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    const std::string standard = option->get_default_str();
    return option->get_description() + (standard.empty() ? "" : " [" + standard + "]");
  }
};

void name_environment(CLI::App& app) {
  for (CLI::Option* const option : app.get_options())
    if (option != app.get_help_ptr() && option != app.get_version_ptr() && !option->get_lnames().empty())
      option->envname(environment_name("--" + option->get_lnames().front()));
  for (CLI::App* const command : app.get_subcommands(nullptr)) name_environment(*command);
}

std::string with_range(const std::string& help, Bounds bounds, std::string (*format)(std::uint64_t)) {
  return bounds.max == Bounds{}.max ? help : help + ", " + format(bounds.min) + " to " + format(bounds.max);
}

struct FlagForm {
  const char* type;
  Parsed<std::uint64_t> (*parse)(std::string_view);
  std::string (*format)(std::uint64_t);
};

CLI::Option* add_bounded(CLI::App& app, const std::string& flag, std::uint64_t default_value, const std::string& help,
                         Bounds bounds, FlagForm form, std::function<void(std::uint64_t)> store) {
  const auto accept = [bounds, form, store = std::move(store)](const std::string& typed) -> std::string {
    const auto parsed = form.parse(typed);
    if (!parsed) return parsed.error;
    std::string error = bounds_error(typed, *parsed.value, bounds, form.format);
    if (error.empty()) store(*parsed.value);
    return error;
  };
  return add_value(app, flag, form.type, form.format(default_value), with_range(help, bounds, form.format), accept);
}

// For the build alone, so not in the help.
std::optional<Stop> documentation(const CLI::App& app, int argc, const char* const* argv) {
  const std::string_view typed = argc == 2 ? argv[1] : "";
  if (typed == "--help-man") return Stop{kExitOk, man_page(app, app.get_name() == "mcplane" ? 8 : 1)};
  if (typed == "--help-completion") return Stop{kExitOk, bash_completion(app)};
  return std::nullopt;
}

}  // namespace

std::string_view version() noexcept { return MCPLANE_VERSION; }

std::vector<unsigned> allowed_cpus() {
  // Asked once: later this thread may have been bound to one of them.
  static const std::vector<unsigned> allowed = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<unsigned> cpus;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return std::vector<unsigned>{0};
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
  }();
  return allowed;
}

std::string cpu_error(std::uint64_t cpu, const std::vector<unsigned>& allowed) {
  if (std::ranges::find(allowed, cpu) != allowed.end()) return "";
  return fmt::format("CPU {} is offline or not allowed to this process; type one it may use, such as {}", cpu,
                     allowed.back());
}

int count_own(int argc, const char* const* argv) {
  int count = 0;
  while (count < argc && std::string_view(argv[count]) != "--") ++count;
  return count;
}

void set_conventions(CLI::App& app) {
  app.formatter(std::make_shared<HelpFormat>());
  app.set_help_flag("--help,-h", "Print this and leave");
  app.set_version_flag("--version", app.get_name() + " " + std::string(version()), "Print the version and leave");
  app.footer(
      "Durations are typed with their unit (us, ms, s, m, h), sizes too (B, KiB, MiB, GiB).\n"
      "Every flag is also read from the environment unless it is typed: --log-level is MCPLANE_LOG_LEVEL.\n"
      "Exit codes: 0 ok, 1 runtime error, 2 usage, 4 configuration invalid, 5 broker unreachable, 10 objective "
      "missed.");
}

std::string bounds_error(const std::string& typed, std::uint64_t value, Bounds bounds,
                         std::string (*format)(std::uint64_t)) {
  if (value >= bounds.min && value <= bounds.max) return "";
  if (bounds.max == Bounds{}.max) return quote(typed) + " is too small; type at least " + format(bounds.min);
  return quote(typed) + " is out of range; type " + format(bounds.min) + " to " + format(bounds.max);
}

std::string format_count(std::uint64_t count) { return std::to_string(count); }

std::optional<Stop> parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  name_environment(app);
  if (auto docs = documentation(app, argc, argv)) return docs;
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return Stop{kExitOk, app.help()};
  } catch (const CLI::CallForVersion& called) {
    return Stop{kExitOk, std::string(called.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    return failure(app.get_name(), explain_mistake(app, error, {argv, static_cast<std::size_t>(argc)}), kExitUsage);
  }
}

int end(const Stop& stop) {
  if (stop.exit_code == kExitOk)
    std::fputs(stop.text.c_str(), stdout);
  else
    std::fprintf(stderr, "%s\n", stop.text.c_str());
  return stop.exit_code;
}

Stop failure(std::string_view program, std::string_view line, int exit_code) {
  return {exit_code, std::string(program) + ": " + one_line(line)};
}

CLI::Option* add_value(CLI::App& app, const std::string& flag, const std::string& type, const std::string& default_text,
                       const std::string& help, std::function<std::string(const std::string&)> accept) {
  const auto take = [flag, accept = std::move(accept)](const CLI::results_t& typed) {
    if (typed.size() > 1)
      throw CLI::ValidationError(flag, "is given " + std::to_string(typed.size()) + " times; keep one");
    const std::string error = accept(typed.front());
    if (!error.empty()) throw CLI::ValidationError(flag, error);
    return true;
  };
  return app.add_option(flag, CLI::callback_t(take), help)
      ->type_name(type)
      ->default_str(default_text)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option* add_bounded_count(CLI::App& app, const std::string& flag, std::uint64_t default_value,
                               const std::string& help, Bounds bounds, std::function<void(std::uint64_t)> store) {
  return add_bounded(app, flag, default_value, help, bounds, {"COUNT", parse_count, format_count}, std::move(store));
}

CLI::Option* add_duration(CLI::App& app, const std::string& flag, std::uint64_t& value_ns, const std::string& help,
                          Bounds bounds_ns) {
  return add_bounded(app, flag, value_ns, help, bounds_ns, {"DURATION", parse_duration_ns, format_duration_ns},
                     [&value_ns](std::uint64_t typed) { value_ns = typed; });
}

CLI::Option* add_size(CLI::App& app, const std::string& flag, std::uint64_t& value_bytes, const std::string& help,
                      Bounds bounds_bytes) {
  return add_bounded(app, flag, value_bytes, help, bounds_bytes, {"SIZE", parse_size_bytes, format_size_bytes},
                     [&value_bytes](std::uint64_t typed) { value_bytes = typed; });
}

CLI::Option* add_rate(CLI::App& app, const std::string& flag, double& value_per_second, const std::string& help) {
  const std::string standard = value_per_second > 0 ? fmt::format("{}/s", value_per_second) : "";
  return add_value(app, flag, "RATE", standard, help, [&value_per_second](const std::string& typed) {
    const auto parsed = parse_rate_per_second(typed);
    if (parsed) value_per_second = *parsed.value;
    return parsed.error;
  });
}

CLI::Option* add_text(CLI::App& app, const std::string& flag, std::string& value, const std::string& type,
                      const std::string& help) {
  return add_value(app, flag, type, value, help, [&value](const std::string& typed) {
    value = typed;
    return std::string();
  });
}

CLI::Option* add_values(CLI::App& app, const std::string& flag, const std::string& type, const std::string& help,
                        std::function<std::string(const std::string&)> accept, bool commas) {
  const auto take = [flag, accept = std::move(accept), commas](const CLI::results_t& typed) {
    for (const std::string& value : commas ? CLI::detail::split(CLI::detail::join(typed, ","), ',') : typed) {
      const std::string error = accept(value);
      if (!error.empty()) throw CLI::ValidationError(flag, error);
    }
    return true;
  };
  return app.add_option(flag, CLI::callback_t(take), help)
      ->type_name(type)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option* add_texts(CLI::App& app, const std::string& flag, std::vector<std::string>& values,
                       const std::string& type, const std::string& help) {
  return add_values(app, flag, type, help, [&values](const std::string& typed) {
    values.push_back(typed);
    return typed.empty() ? std::string("is empty; type a value") : std::string();
  });
}

CLI::Option* add_switch(CLI::App& app, const std::string& flag, bool& value, const std::string& help) {
  return app.add_flag(flag, value, help);
}

}  // namespace mcplane::app
