// Where each value is from: a flag wins over its MCPLANE_* variable, which wins over the file, which wins over the
// default. The file's restart keys are put before the typed arguments as flags, but for those that somebody typed or
// set in the environment; so one parser takes them all. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/config/config.h"
#include "control/admin/config.h"

namespace mcplane::app {

struct ApplianceReading {
  std::optional<Stop> stop;           // set: there is no config
  std::vector<std::string> mistakes;  // a line each, of the file; in `stop` as well
  ApplianceConfig config;
};

// `arguments`: the command line before `--`, the program's name first. The flags alone, each by itself.
ApplianceReading read_command_line(const std::vector<std::string>& arguments);
// All together. `name` is the file's, for people; the text of no file is "".
ApplianceReading read_appliance(const std::vector<std::string>& arguments, const std::string& text,
                                const std::string& name);
// The file's bytes, or one line.
Parsed<std::string> read_text(const std::string& path);
// A text that might be applied to what was started with these arguments.
control::ConfigReading read_again(const std::vector<std::string>& arguments, const std::string& text,
                                  const std::string& name);

}  // namespace mcplane::app
