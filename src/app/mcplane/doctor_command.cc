// See doctor_command.h.
#include "app/mcplane/doctor_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "app/command_line/cli.h"
#include "app/command_line/port_flag.h"

namespace mcplane::app {
namespace {

// "\033[32mpass\033[0m": green, yellow, red, grey.
std::string shown(Health health, bool coloured) {
  constexpr std::array<unsigned, 4> kColours = {32, 33, 31, 90};
  if (!coloured) return std::string(name_of(health));
  return fmt::format("\033[{}m{}\033[0m", kColours[static_cast<std::size_t>(health)], name_of(health));
}

bool wants_colour() {
  const char* const no_colour = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

std::string next_step(const std::vector<Diagnosis>& diagnoses, const net::DeviceSpec& port) {
  if (!fit(diagnoses)) return "next: mend what fails, as root, and look again\n";
  std::string line = fmt::format("next: mcplane --port {} --ip 10.0.0.1/24", net::to_string(port));
  if (port.kind == net::DeviceKind::kPci) return line + " --hugepages\n";
  return line + "; of a NIC of its own: mcplane doctor --port pci:ADDRESS\n";
}

}  // namespace

std::string doctor_text(const std::vector<Diagnosis>& diagnoses, const net::DeviceSpec& port, bool coloured) {
  std::string text;
  for (const auto& [name, health, finding] : diagnoses) {
    text += fmt::format("{}  {:<15} {}", shown(health, coloured), name, finding.seen);
    if (health == Health::kSkip) text += fmt::format("; {} does without", net::kind_name(port.kind));
    if (!finding.fix.empty()) text += fmt::format("; fix: {}", finding.fix);
    text += "\n";
  }
  return text + next_step(diagnoses, port);
}

std::string doctor_json(const std::vector<Diagnosis>& diagnoses, const net::DeviceSpec& port) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const auto& [name, health, finding] : diagnoses)
    checks.push_back({{"name", name}, {"result", name_of(health)}, {"seen", finding.seen}, {"fix", finding.fix}});
  const nlohmann::ordered_json json = {{"port", net::to_string(port)}, {"ok", fit(diagnoses)}, {"checks", checks}};
  return json.dump() + "\n";
}

int run_doctor(int argc, const char* const* argv) {
  net::DeviceSpec port{.name = "mc0"};
  bool json = false;
  CLI::App app("mcplane doctor: what this machine has of what a port needs, and the command that adds it.",
               "mcplane doctor");
  set_conventions(app);
  add_value(app, "--port", "KIND:NAME", net::to_string(port), "The port to be served, as for mcplane",
            [&port](const std::string& typed) {
              auto parsed = parse_port(typed);
              if (parsed) port = std::move(*parsed.value);
              return parsed.error;
            });
  add_switch(app, "--json", json, "Print JSON");
  if (const auto stop = parse_command_line(app, argc, argv)) return end(*stop);
  const std::vector<Diagnosis> diagnoses = examine(Machine(), port);
  const std::string text = json ? doctor_json(diagnoses, port) : doctor_text(diagnoses, port, wants_colour());
  std::fputs(text.c_str(), stdout);
  return fit(diagnoses) ? kExitOk : kExitRuntime;
}

}  // namespace mcplane::app
