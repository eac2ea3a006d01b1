// The flags of `mcplane`, and the same as restart keys of its configuration file: derived from the flags, so there is
// one list of them. See config.h. Any thread.
#pragma once

#include <string>
#include <vector>

#include "app/config/config.h"

namespace mcplane::app {

void add_appliance_flags(CLI::App& app, ApplianceConfig& config);

struct RestartKey {
  std::string name;  // "mtu"
  std::string takes;
  std::string standard;  // what holds when nobody says
  std::string meaning;
  bool repeats = false;  // may be typed several times
};

// In the order of the help; without the flags that are about the file or print something.
std::vector<RestartKey> restart_keys();

// What is wrong with `value` for the flag of that name; empty: nothing. Looks at this one alone.
std::string flag_error(const std::string& name, const std::string& value);

}  // namespace mcplane::app
