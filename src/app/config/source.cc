// See source.h.
#include "app/config/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "app/command_line/mistake.h"
#include "app/config/file.h"
#include "app/config/flags.h"
#include "app/config/network.h"

namespace mcplane::app {
namespace {

using Arguments = std::vector<std::string>;

bool is_typed(const Arguments& arguments, const std::string& flag) {
  return std::ranges::any_of(
      arguments, [&](const std::string& argument) { return argument == flag || argument.starts_with(flag + "="); });
}

// "flag", its variable's name, or "": somebody who wins over the file.
std::string stronger_origin(const Arguments& arguments, const std::string& name) {
  if (is_typed(arguments, "--" + name)) return "flag";
  const std::string variable = environment_name("--" + name);
  const char* const set = std::getenv(variable.c_str());
  return set != nullptr && *set != '\0' ? variable : "";
}

// A typed --port, --ip or --mac replaces all the [[port]] tables say, since they belong together.
bool is_overridden(const Arguments& arguments, const FileFlag& flag, bool has_port_tables) {
  constexpr std::array<const char*, 3> kTogether = {"port", "ip", "mac"};
  if (!stronger_origin(arguments, flag.name).empty()) return true;
  if (!has_port_tables || std::ranges::find(kTogether, flag.name) == kTogether.end()) return false;
  return std::ranges::any_of(kTogether, [&](const char* name) { return !stronger_origin(arguments, name).empty(); });
}

Arguments expand(const Arguments& arguments, const ConfigFile& file) {
  Arguments expanded = {arguments.front()};
  for (const FileFlag& flag : file.flags)
    if (!is_overridden(arguments, flag, file.has_port_tables))
      expanded.push_back(fmt::format("--{}={}", flag.name, flag.value));
  expanded.insert(expanded.end(), arguments.begin() + 1, arguments.end());
  return expanded;
}

std::optional<Stop> parse(CLI::App& app, ApplianceConfig& config, const Arguments& arguments) {
  set_conventions(app);
  add_appliance_flags(app, config);
  std::vector<const char*> words;
  for (const std::string& argument : arguments) words.push_back(argument.c_str());
  return parse_command_line(app, static_cast<int>(words.size()), words.data());
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

// Ports, in the order of the parser, which keeps only the last it saw of these.
std::string port_value(const ApplianceConfig& config, const std::string& name) {
  std::vector<std::string> words;
  for (const PortConfig& port : config.ports) {
    if (name == "port") words.push_back(net::to_string(port.device));
    if (name == "ip")
      for (const wire::Prefix& ip : port.ips) words.push_back(fmt::format("{}/{}", wire::to_string(ip.ip), ip.length));
    if (name == "mac") words.push_back(wire::to_string(port.mac));
  }
  return joined(words);
}

// Equal values have equal texts.
std::string settled(const std::string& takes, const std::string& typed) {
  if (const auto value = parse_duration_ns(typed); takes == "DURATION" && value)
    return format_duration_ns(*value.value);
  if (const auto value = parse_size_bytes(typed); takes == "SIZE" && value) return format_size_bytes(*value.value);
  if (const auto value = parse_count(typed); takes == "COUNT" && value) return format_count(*value.value);
  return typed;
}

std::vector<control::ConfigValue> restart_values(const CLI::App& app, const ApplianceConfig& config,
                                                 const Arguments& arguments, const ConfigFile& file) {
  std::vector<control::ConfigValue> values;
  for (const RestartKey& key : restart_keys()) {
    const CLI::Option* const option = app.get_option("--" + key.name);
    const bool of_port = key.name == "port" || key.name == "ip" || key.name == "mac";
    const std::string typed = of_port               ? port_value(config, key.name)
                              : option->count() > 0 ? joined(option->results())
                                                    : key.standard;
    std::string origin = stronger_origin(arguments, key.name);
    const auto set = std::ranges::find(file.flags, key.name, &FileFlag::name);
    if (origin.empty())
      origin =
          set != file.flags.end() && !is_overridden(arguments, *set, file.has_port_tables) ? set->origin : "default";
    values.push_back({"appliance." + key.name, settled(key.takes, typed), origin, false});
  }
  return values;
}

// A contradiction names flags: the place of the first that the file set, before the line.
std::string located(std::string line, const ConfigFile& file) {
  for (std::size_t at = line.find("--"); at != std::string::npos; at = line.find("--", at + 2)) {
    const std::string name = line.substr(at + 2, line.find_first_of(" ,;='", at) - at - 2);
    const auto set = std::ranges::find(file.flags, name, &FileFlag::name);
    if (set != file.flags.end()) return fmt::format("{}: appliance.{}: {}", set->place, name, line);
  }
  return fmt::format("{}: {}", kBrokerProgram, line);
}

void stop_for(ApplianceReading& reading, int exit_code) {
  Stop stop{exit_code, ""};
  for (const std::string& line : reading.mistakes) stop.text += (stop.text.empty() ? "" : "\n") + one_line(line);
  reading.stop = std::move(stop);
}

}  // namespace

ApplianceReading read_command_line(const Arguments& arguments) {
  ApplianceReading reading;
  CLI::App app(
      "mcplane: brokers tasks between clients and model workers over UDP.\n"
      "mcplane doctor: what this machine has of what a port needs.",
      kBrokerProgram);
  reading.stop = parse(app, reading.config, arguments);
  return reading;
}

ApplianceReading read_appliance(const Arguments& arguments, const std::string& text, const std::string& name) {
  ApplianceReading reading;
  ApplianceConfig& config = reading.config;
  ConfigFile file = read_config_file(text, name, restart_keys());
  reading.mistakes = std::move(file.mistakes);
  if (!reading.mistakes.empty()) {
    stop_for(reading, kExitConfigInvalid);
    return reading;
  }
  CLI::App app("", kBrokerProgram);
  reading.stop = parse(app, config, expand(arguments, file));
  if (reading.stop) {
    reading.mistakes = {reading.stop->text};
    return reading;
  }
  if (const std::string line = missing_network(config); line.empty()) {
    if (const std::string conflict = settle(config); !conflict.empty()) {
      reading.mistakes = {located(conflict, file)};
      stop_for(reading, kExitConfigInvalid);
      return reading;
    }
  } else if (!config.check) {  // who checks a file need not say what other flags will be typed
    reading.mistakes = {fmt::format("{}: {}", kBrokerProgram, line)};
    stop_for(reading, kExitUsage);
    return reading;
  }
  config.arguments = arguments;
  config.document.text = text;
  config.document.origin = name;
  config.document.settings = std::make_shared<const control::Settings>(std::move(file.settings));
  config.document.values = restart_values(app, config, arguments, file);
  std::ranges::move(file.values, std::back_inserter(config.document.values));
  return reading;
}

Parsed<std::string> read_text(const std::string& path) {
  using Result = Parsed<std::string>;
  // One byte more than allowed tells a file that is too large, whatever it is.
  std::string text(control::kConfigBytesMax + 1, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad())
    return Result::bad(fmt::format("{} cannot be read: {}", quote(path), std::strerror(errno)));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > control::kConfigBytesMax)
    return Result::bad(fmt::format("{} is larger than {}", quote(path), format_size_bytes(control::kConfigBytesMax)));
  return Result::good(std::move(text));
}

control::ConfigReading read_again(const Arguments& arguments, const std::string& text, const std::string& name) {
  ApplianceReading reading = read_appliance(arguments, text, name);
  return {std::move(reading.mistakes), std::move(reading.config.document)};
}

}  // namespace mcplane::app
